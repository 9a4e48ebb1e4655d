//! `mc doctor`: what is set, whether it works, and what to do where it does not.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::Call;
use crate::failure::{Exit, Failure};
use crate::print::{Style, clean, time, value};
use crate::session::Session;

/// Clocks may differ by this many seconds before it is worth a word, and by that many before times lie.
const SMALL_SKEW: u64 = 5;
const LARGE_SKEW: u64 = 300;

/// Each line is ok, warn or fail, and says what to do. Exit code 1 if any fails.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    fix: Option<String>,
}

impl Check {
    fn new(what: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self {
            what,
            verdict,
            found: found.into(),
            fix: None,
        }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// What a failure means for a check.
    fn failed(what: &'static str, failure: &Failure) -> Self {
        let check = Self::new(what, Verdict::Fail, failure.message.clone());
        match failure.hints.first() {
            Some(hint) => check.fix(hint.clone()),
            None => check,
        }
    }
}

impl Doctor {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut checks = vec![configuration(session)];
        checks.extend(session.settings.warnings.iter().map(|warning| {
            let (found, fix) = warning.split_once("; run: ").unwrap_or((warning, ""));
            Check::new("permissions", Verdict::Warn, found).fix(fix)
        }));
        let reachable = server(session, &mut checks).await;
        agent_token(session, reachable, &mut checks).await;
        admin_token(session, reachable, &mut checks).await;
        checks.push(workspace(session));
        if reachable && (session.client.has_agent_token() || session.client.has_admin_token()) {
            checks.push(policy(session).await);
        }
        report(session, &checks)?;
        let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
        Ok(if failed { Exit::Other } else { Exit::Done })
    }
}

fn configuration(session: &Session) -> Check {
    let file = session.settings.file.display();
    if session.settings.has_file {
        Check::new("configuration", Verdict::Ok, format!("{file}"))
    } else {
        Check::new(
            "configuration",
            Verdict::Ok,
            format!("no {file}; flags and environment only"),
        )
    }
}

async fn server(session: &Session, checks: &mut Vec<Check>) -> bool {
    let url = &session.settings.api_url;
    let reply = match session.client.health().await {
        Ok(reply) => reply,
        Err(failure) => {
            checks.push(Check::failed("server", &failure));
            return false;
        }
    };
    let version = reply.body["version"]
        .as_str()
        .unwrap_or("of an unknown version");
    checks.push(match reply.status {
        200..=299 if reply.body.is_object() => {
            Check::new("server", Verdict::Ok, format!("{url} is {version}"))
        }
        503 => Check::new(
            "server",
            Verdict::Fail,
            format!("{url} is up, but cannot reach its store"),
        )
        .fix("look at the server's log"),
        status => Check::new(
            "server",
            Verdict::Fail,
            format!("{url} answers {status} to GET /health"),
        )
        .fix("set MC_API_URL to a Mission Control server, without /api/v1"),
    });
    if url.starts_with("http://") && !is_local(url) {
        checks.push(
            Check::new(
                "transport",
                Verdict::Warn,
                "tokens cross the network in the clear",
            )
            .fix("use an https:// address"),
        );
    }
    if let Some(date) = reply
        .headers
        .get("date")
        .and_then(|date| date.to_str().ok())
    {
        checks.extend(clock(date, time::now()));
    }
    reply.status < 500
}

fn is_local(url: &str) -> bool {
    ["http://localhost", "http://127.", "http://[::1]"]
        .iter()
        .any(|start| url.starts_with(start))
}

/// How far this clock is from the server's.
fn clock(date: &str, now: Timestamp) -> Option<Check> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let skew = now.as_second().abs_diff(theirs.as_second());
    let found = format!("{} from the server's", time::span(skew));
    Some(match skew {
        0..=SMALL_SKEW => Check::new("clock", Verdict::Ok, "agrees with the server's"),
        skew if skew < LARGE_SKEW => {
            Check::new("clock", Verdict::Warn, found).fix("set this machine's clock by NTP")
        }
        _ => Check::new("clock", Verdict::Fail, found)
            .fix("set this machine's clock by NTP; reported times are wrong"),
    })
}

async fn agent_token(session: &Session, reachable: bool, checks: &mut Vec<Check>) {
    if !session.client.has_agent_token() {
        checks.push(match session.client.has_admin_token() {
            true => Check::new("agent token", Verdict::Warn, "not set; only the operator's commands work"),
            false => Check::new("agent token", Verdict::Fail, "not set"),
        }
        .fix("mc agent register --id ID --name NAME --workspace DIR --save, or set MC_AGENT_TOKEN"));
        return;
    }
    if !reachable {
        checks.push(Check::new(
            "agent token",
            Verdict::Warn,
            "not checked: no server",
        ));
        return;
    }
    let agent = match session
        .client
        .send(&Call::get(&["agents", "me"]).by_bearer())
        .await
    {
        Ok(reply) => reply.body,
        Err(failure) => {
            checks.push(Check::failed("agent token", &failure));
            return;
        }
    };
    let id = agent["id"].as_str().unwrap_or_default();
    checks.push(Check::new(
        "agent token",
        Verdict::Ok,
        format!("speaks for {id}"),
    ));
    match session.settings.agent.as_deref() {
        Some(ours) if ours != id => checks.push(
            Check::new(
                "agent id",
                Verdict::Fail,
                format!("MC_AGENT_ID is {ours}, the token is {id}'s"),
            )
            .fix(format!("set MC_AGENT_ID={id}, or use {ours}'s token")),
        ),
        _ => {}
    }
    let status = agent["status"].as_str().unwrap_or("unknown");
    let reason = agent["statusReason"]
        .as_str()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    checks.push(match status {
        "ACTIVE" => Check::new("agent status", Verdict::Ok, "ACTIVE"),
        "OFFLINE" => Check::new("agent status", Verdict::Warn, format!("OFFLINE{reason}"))
            .fix("mc heartbeat"),
        _ => Check::new("agent status", Verdict::Warn, format!("{status}{reason}"))
            .fix(format!("an operator lifts it: mc agent resume {id}")),
    });
}

async fn admin_token(session: &Session, reachable: bool, checks: &mut Vec<Check>) {
    if !session.client.has_admin_token() {
        checks.push(Check::new(
            "admin token",
            Verdict::Ok,
            "not set; needed for the operator's commands only",
        ));
        return;
    }
    if !reachable {
        checks.push(Check::new(
            "admin token",
            Verdict::Warn,
            "not checked: no server",
        ));
        return;
    }
    // A route that is the operator's alone.
    checks.push(match session.client.send(&Call::get(&["webhooks"]).by_operator()).await {
        Ok(_) => Check::new("admin token", Verdict::Ok, "is the operator's"),
        Err(failure) => Check::new("admin token", Verdict::Fail, failure.message)
            .fix("MC_ADMIN_TOKEN must be what the server was started with, or printed at its first start"),
    });
}

fn workspace(session: &Session) -> Check {
    match session.settings.workspace.as_deref() {
        None => Check::new("workspace", Verdict::Ok, "not set"),
        Some(path) if std::path::Path::new(path).is_dir() => {
            Check::new("workspace", Verdict::Ok, path)
        }
        Some(path) => Check::new(
            "workspace",
            Verdict::Fail,
            format!("{path} is no directory"),
        )
        .fix(format!("mkdir -p {path}, or set MC_WORKSPACE")),
    }
}

async fn policy(session: &Session) -> Check {
    match session
        .client
        .send(&Call::get(&["policy", "active"]).by_operator())
        .await
    {
        Ok(reply) => {
            let version = value::plain(value::member(&reply.body, "version"));
            Check::new("policy", Verdict::Ok, format!("version {version}"))
        }
        Err(failure) => Check::failed("policy", &failure),
    }
}

fn report(session: &Session, checks: &[Check]) -> Result<(), Failure> {
    let all = checks.iter().map(|check| {
        json!({"check": check.what, "result": check.verdict.word(), "found": check.found, "fix": check.fix})
    });
    let all = json!({"checks": all.collect::<Vec<_>>()});
    session.out.show_value(&all, lines)
}

fn lines(style: &Style, all: &Value) -> String {
    let mut text = String::new();
    for check in all["checks"].as_array().into_iter().flatten() {
        let member = |name: &str| clean::line(check[name].as_str().unwrap_or_default());
        let result = member("result");
        let padded = format!("{result:<4}");
        let shown = match (style.colours, result.as_str()) {
            (false, _) => padded,
            (true, "ok") => value::coloured(&padded, "ALLOW"),
            (true, "warn") => value::coloured(&padded, "WARNING"),
            (true, _) => value::coloured(&padded, "ERROR"),
        };
        text.push_str(&format!(
            "{shown}  {:<13}  {}\n",
            member("check"),
            member("found")
        ));
        let fix = member("fix");
        if !fix.is_empty() {
            text.push_str(&format!("                     -> {fix}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (date, verdict) in [
            ("Sat, 21 Nov 2026 12:00:03 GMT", Verdict::Ok),
            ("Sat, 21 Nov 2026 12:01:00 GMT", Verdict::Warn),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Verdict::Fail),
        ] {
            assert_eq!(clock(date, now).unwrap().verdict, verdict, "{date}");
        }
    }
}
