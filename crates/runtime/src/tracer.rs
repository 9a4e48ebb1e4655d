//! The port to whoever collects traces: one of each turn, with a span for each call of a model and of a tool.
//!
//! Where nobody collects them there is no tracer, and a turn pays for a look at an empty option.

use std::time::Duration;

use stationmaster_model::{Message, Reply, ToolCall};

use crate::AgentIdentity;
use crate::ledger::Pause;
use crate::turn::{Outcome, TurnError};

/// Makes traces of turns. Like all that is called here it is on the turn's own path, so it must neither block
/// nor take long.
pub trait Tracer: Send + Sync {
    /// A turn begins, or goes on after a pause or a restart.
    fn begin(&self, turn: &TurnHead<'_>) -> Box<dyn TurnTrace>;
}

/// The trace of one turn under way. Dropped without an end, the turn was given up.
pub trait TurnTrace: Send + Sync {
    /// The turn has found its task.
    fn has_task(&self, task_id: &str);

    fn model_called(&self, call: &ModelSpan<'_>);

    fn tool_called(&self, call: &ToolSpan<'_>);

    /// Called once, last.
    fn ended(&self, end: &TurnEnd<'_>);
}

/// Whose turn it is, and what it is part of.
#[derive(Debug, Clone, Copy)]
pub struct TurnHead<'a> {
    /// The turn's own name of its trace.
    pub trace_id: &'a str,
    /// What the caller's request was part of.
    pub parent: Option<TraceParent>,
    pub agent: &'a AgentIdentity,
    /// Whose models are asked.
    pub provider: Option<&'a str>,
    pub model: &'a str,
}

/// A call of a model that has just ended.
#[derive(Debug, Clone, Copy)]
pub struct ModelSpan<'a> {
    /// Counted from 1.
    pub round: u32,
    /// The model asked for; the reply names the one that answered.
    pub model: &'a str,
    pub max_tokens: u32,
    pub temperature: f64,
    pub system: &'a str,
    /// What was said before.
    pub messages: &'a [Message],
    pub result: Result<&'a Reply, &'a TurnError>,
    pub took: Duration,
}

/// A call of a tool that has just ended, be it refused.
#[derive(Debug, Clone, Copy)]
pub struct ToolSpan<'a> {
    pub call: &'a ToolCall,
    pub ok: bool,
    /// What it did, or why not, in a line.
    pub summary: &'a str,
    /// What the model is told.
    pub content: &'a str,
    pub took: Duration,
}

/// How a turn ended, for now.
#[derive(Debug, Clone, Copy)]
pub enum TurnEnd<'a> {
    Answered(&'a Outcome),
    /// The answer of an earlier turn was given again.
    Replayed(&'a Outcome),
    Paused(&'a Pause),
    Failed(&'a TurnError),
}

/// The span that a request is part of, as the header `traceparent` names it (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: u128,
    pub span: u64,
    /// Whether its caller keeps this trace.
    pub sampled: bool,
}

impl TraceParent {
    /// `None` for what is no such header: the standard has it ignored then.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let is_known = version == "00";
        let fits = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let is_hex = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let all_hex = [version, trace, span, flags].into_iter().all(is_hex);
        // A later version may say more at the end, the first may not.
        if !fits || !all_hex || version == "ff" || is_known && parts.next().is_some() {
            return None;
        }
        let parent = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (parent.trace != 0 && parent.span != 0).then_some(parent)
    }

    /// The trace's id as everybody writes it: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_and_anything_else_ignored() {
        let check = |header: &str, expected: Option<(u128, u64, bool)>| {
            let found = TraceParent::parse(header).map(|it| (it.trace, it.span, it.sampled));
            assert_eq!(found, expected, "{header}");
        };
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let good = (
            0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            0xb7ad_6b71_6920_3331,
        );
        check(
            &format!("00-{trace}-{span}-01"),
            Some((good.0, good.1, true)),
        );
        check(
            &format!("00-{trace}-{span}-00"),
            Some((good.0, good.1, false)),
        );
        check(
            &format!("cc-{trace}-{span}-03-more"),
            Some((good.0, good.1, true)),
        );
        check(&format!("00-{trace}-{span}-01-more"), None);
        check(&format!("ff-{trace}-{span}-01"), None);
        check(&format!("00-{}-{span}-01", trace.to_uppercase()), None);
        check(&format!("00-{}-{span}-01", "0".repeat(32)), None);
        check(&format!("00-{trace}-{}-01", "0".repeat(16)), None);
        check(&format!("00-{trace}-{span}"), None);
        check(&format!("00-{}é-{span}-01", &trace[2..]), None);
        check("", None);
    }
}
