//! Signs of life (contract section 7).

use super::{Actor, Arguments, Call, Members, Plan};

pub(super) fn beat(arguments: &mut Arguments, actor: &Actor) -> Plan {
    let body = Members::default()
        .set(
            "status",
            arguments
                .text("status")
                .unwrap_or_else(|| "HEALTHY".to_owned()),
        )
        .maybe(
            "sessionKey",
            arguments
                .text("sessionKey")
                .or_else(|| actor.session_key.clone()),
        )
        .maybe("currentTaskId", arguments.text("taskId"))
        .maybe("ackNotificationIds", arguments.take("ackNotificationIds"));
    Call::post(format!("/api/v1/agents/{}/heartbeat", actor.agent), body).into()
}
