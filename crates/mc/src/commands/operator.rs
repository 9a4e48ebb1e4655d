//! `mc operator`: holding and releasing the whole crew (§4, operator mode).

use clap::{Args, Subcommand};

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::print::Shape;
use crate::print::record::record;
use crate::print::value::Kind;
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Show the mode, or set it
    Mode(Mode),
}

#[derive(Debug, Args)]
pub(crate) struct Mode {
    /// NORMAL, PAUSED, DRAINING or QUARANTINED
    #[arg(value_parser = OneOf(words::OPERATOR_MODES))]
    mode: Option<String>,
    /// Why
    #[arg(long, requires = "mode")]
    reason: Option<String>,
}

impl Operator {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self::Mode(Mode { mode, reason }) = self;
        let path = ["operator", "mode"];
        let call = match mode {
            None => Call::get(&path),
            Some(mode) => Call::put(
                &path,
                Body::new().with("mode", mode).maybe("reason", reason),
            ),
        };
        let lines = [
            ("Mode", "mode", Kind::Word),
            ("Reason", "reason", Kind::Text),
            ("Since", "setAt", Kind::When),
            ("By", "setBy", Kind::Text),
        ];
        session
            .show(call.by_operator(), Shape::One, |style, body| {
                record(style, body, &lines)
            })
            .await
    }
}
