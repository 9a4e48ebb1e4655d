//! Taking a request's members by name and type, collecting every problem for one answer.
//!
//! A member that is `null` counts as absent, and one that nobody asks for is ignored.

use serde_json::Value;
use stationmaster_kernel::error::{Problem, Problems};
use stationmaster_kernel::{Error, Handle, Object, Result};

/// The members of a request's body.
#[derive(Debug)]
pub struct Fields {
    members: Object,
    problems: Problems,
}

impl Fields {
    #[must_use]
    pub fn new(members: Object) -> Self {
        Self {
            members,
            problems: Problems::default(),
        }
    }

    /// Adds a problem of the caller's own.
    pub fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.problems.add(field, message);
    }

    /// Whether the member is there at all, `null` included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Takes whatever has not been asked for yet.
    pub fn rest(&mut self) -> Object {
        std::mem::take(&mut self.members)
    }

    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.members
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// A string without the NUL character, which one of the two databases cannot take, not even
    /// to look for.
    pub fn string(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if text.contains('\0') => {
                self.problems
                    .add(name, "must not contain the NUL character");
                None
            }
            Value::String(text) => Some(text),
            other => self.wrong(name, "a string", &other),
        }
    }

    /// A string that must be there; what is missing is a problem and reads as empty.
    pub fn required_string(&mut self, name: &str) -> String {
        let missing = self.members.get(name).is_none_or(Value::is_null);
        if missing {
            self.problems.add(name, "is required");
        }
        self.string(name).unwrap_or_default()
    }

    /// The id of something: a string that is there and not empty.
    pub fn required_id(&mut self, name: &str) -> String {
        let is_text = self.members.get(name).is_some_and(Value::is_string);
        let id = self.required_string(name);
        if is_text && id.is_empty() {
            self.problems.add(name, "must be a non-empty string");
        }
        id
    }

    pub fn object(&mut self, name: &str) -> Option<Object> {
        match self.value(name)? {
            Value::Object(object) => Some(object),
            other => self.wrong(name, "an object", &other),
        }
    }

    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(value) => Some(value),
            other => self.wrong(name, "true or false", &other),
        }
    }

    pub fn array(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.value(name)? {
            Value::Array(items) => Some(items),
            other => self.wrong(name, "an array", &other),
        }
    }

    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.value(name)?;
        match value.as_i64() {
            Some(number) => Some(number),
            None => self.wrong(name, "a whole number", &value),
        }
    }

    /// A string that must be one of `words`.
    pub fn word<T>(&mut self, name: &str, parse: fn(&str) -> Option<T>, words: &str) -> Option<T> {
        let text = self.string(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.problems.add(name, format!("must be one of {words}"));
        }
        parsed
    }

    /// The name of an agent.
    pub fn handle(&mut self, name: &str) -> Option<Handle> {
        let text = self.string(name)?;
        match text.parse() {
            Ok(handle) => Some(handle),
            Err(Error { problems, .. }) => {
                for problem in problems {
                    self.problems.add(name, problem.message);
                }
                None
            }
        }
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Every problem met so far.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.finish()
            .err()
            .map_or_else(Vec::new, |error| error.problems)
    }

    /// # Errors
    /// Every problem met so far, if there is one.
    pub fn finish(self) -> Result<()> {
        self.problems.into_result()
    }

    fn wrong<T>(&mut self, name: &str, wanted: &str, got: &Value) -> Option<T> {
        let got = match got {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.problems
            .add(name, format!("must be {wanted}, not {got}"));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_problem_is_named() {
        let Value::Object(members) = json!({"title": 3, "metadata": [], "note": null, "extra": 1})
        else {
            unreachable!()
        };
        let mut fields = Fields::new(members);
        assert_eq!(fields.required_string("title"), "");
        assert_eq!(fields.object("metadata"), None);
        assert_eq!(fields.string("note"), None);
        fields.required_string("content");
        let problems = fields.finish().unwrap_err().problems;
        let told: Vec<_> = problems
            .iter()
            .map(|p| format!("{}: {}", p.field, p.message))
            .collect();
        assert_eq!(
            told,
            [
                "title: must be a string, not a number",
                "metadata: must be an object, not an array",
                "content: is required"
            ]
        );
    }
}
