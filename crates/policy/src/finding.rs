//! What is found about an action while it is looked at: what forbids it, what makes it RED, and how
//! risky the rest is.

use crate::Risk;

/// One thing that stands in an action's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
    /// A sentence without its full stop.
    pub(crate) reason: String,
}

impl Violation {
    pub(crate) fn new(rule: &'static str, detail: &str, reason: impl AsRef<str>) -> Self {
        Self {
            rule,
            detail: shortened(detail),
            reason: shortened(reason.as_ref()),
        }
    }

    /// `rule:detail`, or the rule alone where there is no detail.
    pub(crate) fn written(&self) -> String {
        if self.detail.is_empty() {
            self.rule.to_owned()
        } else {
            format!("{}:{}", self.rule, self.detail)
        }
    }
}

/// The longest detail or reason, in characters.
const LONGEST: usize = 240;
/// The most violations of each sort that are named. One is enough to stop an action.
const MOST: usize = 32;

/// Cuts a text, and takes out what would not show in one line.
fn shortened(text: &str) -> String {
    let visible = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(visible).take(LONGEST).collect()
}

/// All that is found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// What no approval lifts.
    pub(crate) denied: Vec<Violation>,
    /// What an approval lifts.
    pub(crate) raised: Vec<Violation>,
    pub(crate) risk: Risk,
    /// Everything YELLOW in it is on an allowlist.
    pub(crate) is_listed: bool,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            denied: Vec::new(),
            raised: Vec::new(),
            risk: Risk::Green,
            is_listed: true,
        }
    }
}

impl Findings {
    pub(crate) fn deny(&mut self, violation: Violation) {
        self.risk = Risk::Red;
        add(&mut self.denied, violation);
    }

    /// Makes the action RED.
    pub(crate) fn raise(&mut self, violation: Violation) {
        self.risk = Risk::Red;
        add(&mut self.raised, violation);
    }

    /// Holds an action back that is no more than YELLOW by itself.
    pub(crate) fn ask(&mut self, violation: Violation) {
        self.yellow(false);
        add(&mut self.raised, violation);
    }

    pub(crate) fn yellow(&mut self, is_listed: bool) {
        self.risk = self.risk.max(Risk::Yellow);
        self.is_listed &= is_listed;
    }
}

fn add(violations: &mut Vec<Violation>, violation: Violation) {
    let is_known = violations
        .iter()
        .any(|known| known.rule == violation.rule && known.detail == violation.detail);
    if !is_known && violations.len() < MOST {
        violations.push(violation);
    }
}
