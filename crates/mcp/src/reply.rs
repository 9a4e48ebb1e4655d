//! What a model gets back: the API's body, bounded, with what the statuses 403 and 409 mean spelt out.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    action::{Problem, table::Action},
    carrier::{ApiReply, CarrierError},
};

/// The longest answer, in bytes of compact JSON. Common clients cut or refuse a little above this.
pub(crate) const LONGEST_ANSWER: usize = 64 * 1024;

/// How an answer that is too long is cut, step by step until it fits: texts to so many characters, lists to so
/// many items.
const CUTS: &[(usize, usize)] = &[
    (20_000, 200),
    (5_000, 200),
    (1_000, 200),
    (500, 50),
    (200, 20),
    (80, 5),
];

/// The answer to a call of the tool.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) is_error: bool,
}

impl Answer {
    /// The API's reply as an answer (contract sections 1.2 and 15).
    pub(crate) fn from_reply(reply: ApiReply) -> Self {
        if reply.is_success() {
            let body = if reply.body.is_object() {
                reply.body
            } else {
                json!({ "result": reply.body })
            };
            return Self {
                body: bounded(body),
                is_error: false,
            };
        }
        let mut body = match reply.body {
            Value::Object(body) if body.contains_key("error") => body,
            _ => error(
                "UNAVAILABLE",
                &format!("the API answered {} with no error of its own", reply.status),
                None,
            ),
        };
        let code = body
            .get("error")
            .and_then(|error| error.get("code"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        match (reply.status, code) {
            (403, "POLICY_VIOLATION") => {
                body.insert("needsApproval".to_owned(), true.into());
            }
            (409, _) => {
                body.insert("alreadyProcessed".to_owned(), true.into());
            }
            _ => {}
        }
        if let Some(wait) = reply.retry_after {
            body.insert("retryAfterSeconds".to_owned(), wait.as_secs().into());
        }
        Self {
            body: bounded(body.into()),
            is_error: true,
        }
    }

    /// The answer to parameters that cannot be used, in the API's own envelope.
    pub(crate) fn invalid(action: Option<Action>, problems: &[Problem]) -> Self {
        let listed: Vec<String> = problems
            .iter()
            .map(|it| format!("{} {}", it.field, it.message))
            .collect();
        let about = action
            .map(|action| format!("{action}: "))
            .unwrap_or_default();
        let errors: Vec<Value> = problems
            .iter()
            .map(|it| json!({ "field": it.field, "message": it.message }))
            .collect();
        let message = format!("{about}{}", listed.join("; "));
        let body = error(
            "VALIDATION_ERROR",
            &message,
            Some(json!({ "errors": errors })),
        );
        Self {
            body: body.into(),
            is_error: true,
        }
    }

    /// The answer when the API gave none.
    pub(crate) fn unreachable(failure: &CarrierError) -> Self {
        Self {
            body: error("UNAVAILABLE", &failure.to_string(), None).into(),
            is_error: true,
        }
    }

    /// Adds what an earlier request of the same action had already brought about.
    pub(crate) fn with_earlier(mut self, reply: &Value) -> Self {
        if let (Some(body), Some(id)) = (self.body.as_object_mut(), reply.get("id")) {
            body.insert("created".to_owned(), json!({ "id": id }));
        }
        self
    }

    /// The answer as text for the model.
    pub(crate) fn text(&self) -> String {
        format!("{:#}", self.body)
    }
}

/// An error that did not come from the API, in its envelope. The request id stands in our own log.
fn error(code: &str, message: &str, details: Option<Value>) -> Map<String, Value> {
    let request_id = format!("req_{}", Uuid::new_v4().simple());
    tracing::info!(
        request_id,
        code,
        message,
        "a call of the tool was refused before the API answered it"
    );
    let mut error = Map::new();
    error.insert("code".to_owned(), code.into());
    error.insert("message".to_owned(), message.into());
    if let Some(details) = details {
        error.insert("details".to_owned(), details);
    }
    error.insert("requestId".to_owned(), request_id.into());
    Map::from_iter([("error".to_owned(), error.into())])
}

/// `body`, or as much of it as fits: what is too long is cut where it is long, and says so.
pub(crate) fn bounded(body: Value) -> Value {
    let whole = length(&body);
    if whole <= LONGEST_ANSWER {
        return body;
    }
    let note = format!("too long to show whole ({whole} bytes): long texts and lists are cut");
    for &(characters, items) in CUTS {
        let mut cut = shortened(&body, characters, items);
        if let Some(members) = cut.as_object_mut() {
            members.insert("cut".to_owned(), note.clone().into());
        }
        if length(&cut) <= LONGEST_ANSWER {
            return cut;
        }
    }
    json!({ "cut": format!("too long to show ({whole} bytes): ask for less at once") })
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

fn shortened(value: &Value, characters: usize, items: usize) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(characters) {
            Some((end, _)) => {
                format!("{}… [cut: {} of {} bytes]", &text[..end], end, text.len()).into()
            }
            None => value.clone(),
        },
        Value::Array(list) => list
            .iter()
            .take(items)
            .map(|item| shortened(item, characters, items))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), shortened(member, characters, items)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: Value) -> ApiReply {
        ApiReply {
            status,
            body,
            retry_after: None,
        }
    }

    #[test]
    fn statuses_with_a_meaning_for_the_caller_are_spelt_out() {
        let check = |status, code: &str, member: &str| {
            let answer = Answer::from_reply(reply(status, json!({ "error": { "code": code } })));
            assert!(answer.is_error);
            assert_eq!(answer.body[member], json!(true), "{status} {code}");
            assert_eq!(answer.body["error"]["code"], code);
        };
        check(403, "POLICY_VIOLATION", "needsApproval");
        check(409, "ALREADY_PROCESSED", "alreadyProcessed");
        let denied =
            Answer::from_reply(reply(403, json!({ "error": { "code": "POLICY_DENIED" } })));
        assert_eq!(denied.body, json!({ "error": { "code": "POLICY_DENIED" } }));
    }

    #[test]
    fn a_reply_that_is_no_envelope_becomes_one() {
        let answer = Answer::from_reply(reply(502, json!("bad gateway")));
        assert_eq!(answer.body["error"]["code"], "UNAVAILABLE");
    }

    #[test]
    fn a_long_answer_is_cut_where_it_is_long() {
        let body = json!({ "id": "task_1", "description": "ä".repeat(100_000), "title": "short" });
        let cut = bounded(body);
        assert!(length(&cut) <= LONGEST_ANSWER);
        assert_eq!(cut["title"], "short");
        assert!(
            cut["description"]
                .as_str()
                .is_some_and(|text| text.ends_with("[cut: 40000 of 200000 bytes]"))
        );
        assert!(cut["cut"].is_string());
    }

    #[test]
    fn even_a_thousand_long_messages_fit() {
        let messages: Vec<Value> = (0..1000)
            .map(|n| json!({ "id": n, "content": "x".repeat(5000) }))
            .collect();
        let cut = bounded(json!({ "messages": messages }));
        assert!(length(&cut) <= LONGEST_ANSWER);
        assert!(
            cut["messages"]
                .as_array()
                .is_some_and(|left| !left.is_empty())
        );
    }
}
