//! The body of `send`, read member by member so that every problem is named (§3).

use serde_json::Value;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::{Object, Result, TenantId};
use stationmaster_peer::Reach;
use stationmaster_runtime::{HistoryEntry, HistoryRole, SendRequest};

use super::hook::{self, Target};

/// What a caller asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) turn: SendRequest,
    /// Whom to tell when it has ended.
    pub(super) target: Option<Target>,
    /// The answer is wanted as it comes.
    pub(super) streams: bool,
}

/// Reads the request. `reach` is whom webhooks may lead to.
pub(super) fn read(
    members: Object,
    key: Option<String>,
    trace_id: Option<String>,
    reach: Reach,
) -> Result<Asked> {
    let mut fields = Fields::new(members);
    let in_body = fields
        .string("idempotency_key")
        .filter(|key| !key.is_empty());
    if let (Some(body), Some(header)) = (&in_body, &key)
        && body != header
    {
        fields.problem("idempotency_key", "differs from the Idempotency-Key header");
    }
    let turn = SendRequest {
        user_id: fields.required_id("user_id"),
        session_key: fields.string("session_key"),
        agent_role: fields.string("agent_role"),
        message: fields.required_string("message"),
        messages: match fields.array("messages") {
            Some(items) => history(&mut fields, &items),
            None => Vec::new(),
        },
        task_id: fields.string("task_id"),
        task_title: fields.string("task_title"),
        task_description: fields.string("task_description"),
        task_metadata: fields.object("task_metadata"),
        metadata: fields.object("metadata").unwrap_or_default(),
        idempotency_key: in_body.or(key),
        trace_id,
        may_lack_task: false,
        traceparent: None,
    };
    let streams = fields.boolean("stream").unwrap_or(false);
    let webhook = fields.object("webhook");
    let target = webhook.and_then(|members| hook::read(&mut fields, members, reach));
    fields.finish()?;
    Ok(Asked {
        turn,
        target,
        streams,
    })
}

/// Whose budget a question outside any turn is on.
pub(super) fn payer(fields: &mut Fields) -> TenantId {
    let named = fields.string("user_id").filter(|id| !id.is_empty());
    match named.map(|id| id.parse()) {
        Some(Ok(tenant)) => return tenant,
        Some(Err(_)) => fields.problem(
            "user_id",
            "must be 1 to 255 characters and hold no control character",
        ),
        None => {}
    }
    TenantId::usual()
}

/// The entries of a history; every fault of each is a problem.
pub(super) fn history(fields: &mut Fields, items: &[Value]) -> Vec<HistoryEntry> {
    let mut history = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let role = match item.get("role").and_then(Value::as_str) {
            Some("user") => Some(HistoryRole::User),
            Some("assistant") => Some(HistoryRole::Assistant),
            Some("system") => Some(HistoryRole::System),
            _ => None,
        };
        let content = item.get("content").and_then(Value::as_str);
        if role.is_none() {
            fields.problem(
                &format!("messages[{index}].role"),
                "must be user, assistant or system",
            );
        }
        if content.is_none() {
            fields.problem(&format!("messages[{index}].content"), "must be a string");
        }
        if let (Some(role), Some(content)) = (role, content) {
            history.push(HistoryEntry {
                role,
                content: content.to_owned(),
            });
        }
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[&str]) {
        let members = serde_json::from_str(body).unwrap();
        let problems = read(members, None, None, Reach::Public)
            .map_or_else(|error| error.problems, |_| Vec::new());
        let fields: Vec<&str> = problems
            .iter()
            .map(|problem| problem.field.as_str())
            .collect();
        assert_eq!(fields, expected, "{body}");
    }

    #[test]
    fn every_problem_of_a_body_is_named() {
        check(r#"{"user_id":"u","message":"m","extra":1}"#, &[]);
        check(r"{}", &["user_id", "message"]);
        check(
            r#"{"user_id":"u","message":"m","messages":[{"role":"tool","content":"x"},{"role":"user"},7]}"#,
            &[
                "messages[0].role",
                "messages[1].content",
                "messages[2].role",
                "messages[2].content",
            ],
        );
        check(
            r#"{"user_id":"u","message":"m","metadata":[]}"#,
            &["metadata"],
        );
        check(
            r#"{"user_id":"u","message":"m","stream":1,"webhook":7}"#,
            &["stream", "webhook"],
        );
        check(
            r#"{"user_id":"u","message":"m","webhook":{"url":"http://127.0.0.1/","secret":1,"headers":{"Host":"x","a b":"c","x-a":7,"x-b":"ok"}}}"#,
            &[
                "webhook.url",
                "webhook.secret",
                "webhook.headers.Host",
                "webhook.headers.a b",
                "webhook.headers.x-a",
            ],
        );
        check(
            r#"{"user_id":"u","message":"m","webhook":{}}"#,
            &["webhook.url"],
        );
    }
}
