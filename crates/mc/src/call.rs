//! A request to the API, before it is sent.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Map, Value};

/// Whose token a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The agent's; the operator's where there is none.
    Agent,
    /// The operator's; the agent's where there is none (a LEAD may do some of it).
    Operator,
    /// The agent's, without saying whose we think it is.
    Bearer,
}

/// A request to a route below `/api/v1`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: Method,
    /// Path and query, escaped, without the prefix.
    pub path: String,
    pub body: Option<Value>,
    pub actor: Actor,
    /// What it does, for the approval that a refusal may call for.
    pub purpose: Option<Purpose>,
}

/// What somebody would have to approve.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub summary: String,
    pub task: Option<String>,
    /// The action itself, so that the approval is good for exactly that.
    pub payload: Option<Value>,
}

impl Call {
    fn new(method: Method, segments: &[&str]) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            escape(segment, &mut path);
        }
        Self {
            method,
            path,
            body: None,
            actor: Actor::Agent,
            purpose: None,
        }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    pub(crate) fn post(segments: &[&str], body: Body) -> Self {
        Self::new(Method::POST, segments).carrying(body)
    }

    pub(crate) fn patch(segments: &[&str], body: Body) -> Self {
        Self::new(Method::PATCH, segments).carrying(body)
    }

    pub(crate) fn put(segments: &[&str], body: Body) -> Self {
        Self::new(Method::PUT, segments).carrying(body)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    fn carrying(mut self, body: Body) -> Self {
        self.body = Some(Value::Object(body.0));
        self
    }

    /// Adds a query parameter, if there is a value.
    pub(crate) fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            self.path.push(mark);
            self.path.push_str(name);
            self.path.push('=');
            escape(&value.to_string(), &mut self.path);
        }
        self
    }

    /// Adds a query parameter with a list separated by commas, if the list is not empty.
    pub(crate) fn query_list(self, name: &str, values: &[String]) -> Self {
        let joined = (!values.is_empty()).then(|| values.join(","));
        self.query(name, joined)
    }

    /// Done as the operator, where an operator's token is known.
    pub(crate) fn by_operator(mut self) -> Self {
        self.actor = Actor::Operator;
        self
    }

    /// Asked with the agent's token, whoever's it is.
    pub(crate) fn by_bearer(mut self) -> Self {
        self.actor = Actor::Bearer;
        self
    }

    pub(crate) fn about(mut self, purpose: Purpose) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// Whether it changes something, and so needs an idempotency key (§1.3).
    pub(crate) fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether an operator may do it in an agent's name (§1.1).
    pub(crate) fn may_be_done_for_an_agent(&self) -> bool {
        self.path.starts_with("/events/") || self.path.ends_with("/heartbeat")
    }
}

/// Escapes what has a meaning of its own in a URL.
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' | b':' => {
                into.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => _ = write!(into, "%{byte:02X}"),
        }
    }
}

/// A JSON object that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member if there is a value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list if it is not empty.
    pub(crate) fn list(self, name: &str, values: Vec<String>) -> Self {
        self.maybe(name, (!values.is_empty()).then_some(values))
    }

    /// Adds the members of an object; those that are there stay.
    pub(crate) fn beside(mut self, members: Map<String, Value>) -> Self {
        for (name, value) in members {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object, or nothing if it has no members.
    pub(crate) fn if_any(self) -> Option<Value> {
        (!self.is_empty()).then_some(Value::Object(self.0))
    }
}

impl From<Body> for Value {
    fn from(body: Body) -> Self {
        Self::Object(body.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_segment_by_segment() {
        let call = Call::get(&["tasks", "a/b?c#d é"]).query("search", Some("x&y=z w"));
        assert_eq!(
            call.path,
            "/tasks/a%2Fb%3Fc%23d%20%C3%A9?search=x%26y%3Dz%20w"
        );
    }
}
