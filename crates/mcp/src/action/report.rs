//! Reports of runs and tool calls (contract section 11).

use serde_json::Value;

use super::{Actor, Arguments, Call, Members, Plan, is_id};

pub(super) fn run(arguments: &mut Arguments, actor: &Actor) -> Plan {
    if arguments.has("runId") {
        let path = format!("/api/v1/events/run/{}", arguments.id("runId"));
        return Call::patch(path, run_figures(arguments)).into();
    }
    arguments.need("model");
    let session_key = arguments
        .text("sessionKey")
        .or_else(|| actor.session_key.clone());
    if session_key.is_none() {
        arguments.need("sessionKey");
    }
    let body = run_figures(arguments)
        .set("agentId", actor.agent.as_str())
        .maybe("sessionKey", session_key)
        .maybe("model", arguments.text("model"))
        .set("startedAt", started_at(arguments))
        .maybe("taskId", arguments.text("taskId"));
    Call::post("/api/v1/events/run".to_owned(), body).into()
}

fn run_figures(arguments: &mut Arguments) -> Members {
    Members::default()
        .maybe("status", arguments.text("status"))
        .maybe("endedAt", arguments.text("endedAt"))
        .maybe("inputTokens", arguments.take("inputTokens"))
        .maybe("outputTokens", arguments.take("outputTokens"))
        .maybe("costUsd", arguments.take("costUsd"))
        .maybe("error", arguments.text("error"))
}

/// Starts a tool call or says how it ended. A call that is over when it is reported takes two requests: the
/// API starts every call first, so that policy sees it (contract section 4, `POST /events/tool-call`).
pub(super) fn tool_call(arguments: &mut Arguments, actor: &Actor) -> Plan {
    if arguments.has("toolCallId") {
        let id = arguments.id("toolCallId");
        let outcome = tool_call_outcome(arguments).maybe("status", arguments.text("status"));
        return Call::patch(format!("/api/v1/events/tool-call/{id}"), outcome).into();
    }
    for name in ["runId", "toolName", "riskLevel"] {
        arguments.need(name);
    }
    let (starting, ending) = match arguments.text("status") {
        Some(status) if matches!(status.as_str(), "PENDING" | "RUNNING") => (Some(status), None),
        status => (None, status),
    };
    let body = Members::default()
        .set("agentId", actor.agent.as_str())
        .maybe("runId", arguments.text("runId"))
        .maybe("toolName", arguments.text("toolName"))
        .maybe("riskLevel", arguments.text("riskLevel"))
        .set("startedAt", started_at(arguments))
        .maybe("status", starting)
        .maybe("taskId", arguments.text("taskId"))
        .maybe("inputPreview", arguments.text("inputPreview"));
    let first = Call::post("/api/v1/events/tool-call".to_owned(), body);
    let outcome = tool_call_outcome(arguments).maybe("status", ending);
    if outcome.is_empty() {
        return first.into();
    }
    let then = move |started: &Value| {
        let id = started
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| is_id(id))?;
        Some(Call::patch(
            format!("/api/v1/events/tool-call/{id}"),
            outcome,
        ))
    };
    Plan {
        first,
        then: Some(Box::new(then)),
    }
}

fn tool_call_outcome(arguments: &mut Arguments) -> Members {
    Members::default()
        .maybe("endedAt", arguments.text("endedAt"))
        .maybe("outputPreview", arguments.text("outputPreview"))
        .maybe("error", arguments.text("error"))
}

/// When it started, for the record. Of a call with a key of its caller's the server says it: repeated, it has
/// to be the same request.
fn started_at(arguments: &mut Arguments) -> String {
    let is_keyed = arguments.is_keyed;
    arguments.text("startedAt").unwrap_or_else(|| {
        let now = jiff::Timestamp::now();
        match is_keyed {
            true => "now".to_owned(),
            false => format!("{now:.3}"),
        }
    })
}
