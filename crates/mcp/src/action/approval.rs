//! Approvals (contract section 10).

use super::{Arguments, Call, Members, Plan};

pub(super) fn request(arguments: &mut Arguments) -> Plan {
    let body = Members::default()
        .maybe("actionType", arguments.text("approvalActionType"))
        .maybe("actionSummary", arguments.text("summary"))
        .maybe("riskLevel", arguments.text("riskLevel"))
        .maybe("justification", arguments.text("justification"))
        .maybe("taskId", arguments.text("taskId"))
        .maybe("toolCallId", arguments.text("toolCallId"))
        .maybe("actionPayload", arguments.take("payload"))
        .maybe("estimatedCost", arguments.take("estimatedCost"))
        .maybe("rollbackPlan", arguments.text("rollbackPlan"))
        .maybe("expiresIn", arguments.text("expiresIn"));
    Call::post("/api/v1/approvals".to_owned(), body).into()
}

pub(super) fn check(arguments: &mut Arguments) -> Plan {
    Call::get(format!("/api/v1/approvals/{}", arguments.id("approvalId"))).into()
}
