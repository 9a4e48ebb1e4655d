//! Asking policy before acting (contract section 8).

use super::{Actor, Arguments, Call, Members, Plan};

pub(super) fn check(arguments: &mut Arguments, actor: &Actor) -> Plan {
    let kind = arguments
        .text("policyActionType")
        .unwrap_or_else(|| "TOOL_CALL".to_owned());
    if kind == "TOOL_CALL" {
        arguments.need("tool");
    }
    // `args` stays nested, so that a tool's own "type" cannot take the place of the action's.
    let action = Members::default()
        .set("type", kind)
        .maybe("tool", arguments.text("tool"))
        .maybe("args", arguments.take("args"))
        .maybe("estimatedCost", arguments.take("estimatedCost"));
    let context = Members::default()
        .maybe("taskId", arguments.text("taskId"))
        .maybe(
            "sessionKey",
            arguments
                .text("sessionKey")
                .or_else(|| actor.session_key.clone()),
        );
    let body = Members::default()
        .set("agentId", actor.agent.as_str())
        .set("action", action)
        .set("context", context);
    Call::post("/api/v1/policy/evaluate".to_owned(), body).into()
}
