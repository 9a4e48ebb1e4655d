//! What arguments a tool takes: one table for the model's schema and for the check.

use serde_json::{Map, Value, json};

/// One argument.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// For the model.
    pub(super) about: &'static str,
}

pub(super) enum Kind {
    /// Text that says something.
    Text,
    /// Text that may be empty.
    Prose,
    Choice(&'static [&'static str]),
    /// 1 to 100.
    Count,
    Flag,
    Object,
}

/// Arguments that fit their table. Each is taken once.
#[derive(Debug)]
pub(super) struct Arguments(Map<String, Value>);

/// The JSON Schema of a table.
pub(super) fn schema(fields: &[Field]) -> Value {
    let properties = fields
        .iter()
        .map(|field| (field.name.to_owned(), field.schema()));
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

/// The object that arguments have to be.
pub(super) fn object(arguments: &Value) -> Result<&Map<String, Value>, String> {
    match arguments {
        Value::Object(members) => Ok(members),
        Value::String(_) => Err("the arguments are not valid JSON".to_owned()),
        _ => Err("the arguments must be a JSON object".to_owned()),
    }
}

impl Arguments {
    /// The arguments, or all that is wrong with them. `null` is the same as absent.
    pub(super) fn check(fields: &[Field], arguments: &Value) -> Result<Self, String> {
        let mut members = object(arguments)?.clone();
        members.retain(|_, value| !value.is_null());
        let mut problems: Vec<String> = fields
            .iter()
            .filter_map(|field| field.problem(members.get(field.name)))
            .collect();
        for name in members.keys() {
            if fields.iter().all(|field| field.name != name) {
                let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
                problems.push(format!(
                    "{name} is not an argument; there are {}",
                    known.join(", ")
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self(members))
        } else {
            Err(problems.join("; "))
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A required text, which is there once the check has passed.
    pub(super) fn required(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn count(&mut self, name: &str) -> Option<u32> {
        self.0.remove(name).as_ref().and_then(count)
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some_and(|value| value == true)
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.0.remove(name) {
            Some(Value::Object(members)) => Some(members),
            _ => None,
        }
    }
}

impl Field {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text | Kind::Prose => json!({ "type": "string" }),
            Kind::Choice(values) => json!({ "type": "string", "enum": values }),
            Kind::Count => json!({ "type": "integer", "minimum": 1, "maximum": 100 }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Object => json!({ "type": "object" }),
        };
        schema["description"] = json!(self.about);
        schema
    }

    fn problem(&self, value: Option<&Value>) -> Option<String> {
        let name = self.name;
        let Some(value) = value else {
            return self.required.then(|| format!("{name} is missing"));
        };
        let wanted = match self.kind {
            Kind::Text => match value.as_str() {
                Some(text) if text.trim().is_empty() => "must not be blank".to_owned(),
                Some(_) => return None,
                None => "must be a string".to_owned(),
            },
            Kind::Prose if !value.is_string() => "must be a string".to_owned(),
            Kind::Choice(values) if !values.iter().any(|known| value == known) => {
                format!("must be one of {}", values.join(", "))
            }
            Kind::Count if count(value).is_none() => {
                "must be a whole number from 1 to 100".to_owned()
            }
            Kind::Flag if !value.is_boolean() => "must be true or false".to_owned(),
            Kind::Object if !value.is_object() => "must be a JSON object".to_owned(),
            _ => return None,
        };
        Some(format!("{name} {wanted}"))
    }
}

/// Models write 5 and 5.0 alike.
fn count(value: &Value) -> Option<u32> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    (1.0..=100.0).contains(&number).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field {
            name: "title",
            kind: Kind::Text,
            required: true,
            about: "What to call it",
        },
        Field {
            name: "description",
            kind: Kind::Prose,
            required: false,
            about: "More",
        },
        Field {
            name: "risk",
            kind: Kind::Choice(&["low", "high"]),
            required: false,
            about: "Risk",
        },
        Field {
            name: "limit",
            kind: Kind::Count,
            required: false,
            about: "How many",
        },
        Field {
            name: "unread",
            kind: Kind::Flag,
            required: false,
            about: "Only new ones",
        },
        Field {
            name: "metadata",
            kind: Kind::Object,
            required: false,
            about: "Anything",
        },
    ];

    #[test]
    fn every_fault_is_named() {
        let known = "there are title, description, risk, limit, unread, metadata";
        for (arguments, problem) in [
            (
                json!("{broken"),
                "the arguments are not valid JSON".to_owned(),
            ),
            (json!([1]), "the arguments must be a JSON object".to_owned()),
            (json!({}), "title is missing".to_owned()),
            (json!({ "title": null }), "title is missing".to_owned()),
            (
                json!({ "title": " " }),
                "title must not be blank".to_owned(),
            ),
            (json!({ "title": 3 }), "title must be a string".to_owned()),
            (
                json!({ "title": "x", "description": [] }),
                "description must be a string".to_owned(),
            ),
            (
                json!({ "title": "x", "risk": "LOW" }),
                "risk must be one of low, high".to_owned(),
            ),
            (
                json!({ "title": "x", "risk": 1 }),
                "risk must be one of low, high".to_owned(),
            ),
            (
                json!({ "title": "x", "limit": 0 }),
                "limit must be a whole number from 1 to 100".to_owned(),
            ),
            (
                json!({ "title": "x", "limit": 2.5 }),
                "limit must be a whole number from 1 to 100".to_owned(),
            ),
            (
                json!({ "title": "x", "limit": "5" }),
                "limit must be a whole number from 1 to 100".to_owned(),
            ),
            (
                json!({ "title": "x", "unread": "true" }),
                "unread must be true or false".to_owned(),
            ),
            (
                json!({ "title": "x", "metadata": "{}" }),
                "metadata must be a JSON object".to_owned(),
            ),
            (
                json!({ "title": "x", "user_id": "u2" }),
                format!("user_id is not an argument; {known}"),
            ),
            (
                json!({ "limit": 101, "b": 1 }),
                format!(
                    "title is missing; limit must be a whole number from 1 to 100; b is not an argument; {known}"
                ),
            ),
        ] {
            assert_eq!(
                Arguments::check(FIELDS, &arguments).unwrap_err(),
                problem,
                "{arguments}"
            );
        }
    }

    #[test]
    fn what_fits_is_read_by_name() {
        let value = json!({
            "title": "x", "description": "", "risk": "high", "limit": 5.0, "unread": true,
            "metadata": { "a": null },
        });
        let mut arguments = Arguments::check(FIELDS, &value).unwrap();
        assert_eq!(arguments.required("title"), "x");
        assert_eq!(arguments.text("description").as_deref(), Some(""));
        assert_eq!(arguments.text("risk").as_deref(), Some("high"));
        assert_eq!(arguments.count("limit"), Some(5));
        assert!(arguments.flag("unread"));
        assert_eq!(arguments.object("metadata").unwrap()["a"], Value::Null);
        let mut arguments =
            Arguments::check(FIELDS, &json!({ "title": "x", "limit": null })).unwrap();
        assert_eq!(
            (arguments.count("limit"), arguments.flag("unread")),
            (None, false)
        );
    }

    #[test]
    fn the_schema_says_what_the_check_wants() {
        let schema = schema(&FIELDS[..3]);
        let expected = json!({
            "type": "object",
            "properties": {
                "title": { "type": "string", "description": "What to call it" },
                "description": { "type": "string", "description": "More" },
                "risk": { "type": "string", "enum": ["low", "high"], "description": "Risk" },
            },
            "required": ["title"],
            "additionalProperties": false,
        });
        assert_eq!(schema, expected);
    }
}
