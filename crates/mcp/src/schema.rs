//! The tool as clients see it, built from the table of actions.
//!
//! The schema is flat: one object, every parameter a property of it, `action` an inline list of words, no
//! `$ref`, `oneOf` or lists of types. Several clients and model providers refuse anything richer.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::action::table::{ACTIONS, Action, PARAMETERS, ParameterRow, Shape};

/// The tool's name.
pub(crate) const TOOL: &str = "mission_control";

/// The tool's description: what it is for, and a line for every action.
pub(crate) fn description() -> String {
    let mut text = "Work with Mission Control, where your tasks, approvals and reports live. Choose one action:\n".to_owned();
    for row in ACTIONS {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "- {}: {}{}", row.name, row.does, needs(row.action));
    }
    text
}

fn needs(action: Action) -> String {
    let required: Vec<&str> = PARAMETERS
        .iter()
        .filter(|row| row.required.contains(&action))
        .map(|row| row.name)
        .collect();
    let also = match action {
        Action::TaskStart => Some("bullets or content"),
        Action::TaskArtifact => Some("content or url"),
        Action::PolicyCheck => Some("tool"),
        Action::ReportRun => Some("model and sessionKey to start one"),
        Action::ReportToolCall => Some("runId, toolName and riskLevel to start one"),
        _ => None,
    };
    let all: Vec<&str> = required.into_iter().chain(also).collect();
    if all.is_empty() {
        String::new()
    } else {
        format!(" (needs {})", all.join(", "))
    }
}

/// The JSON Schema of the tool's parameters.
pub(crate) fn input() -> Map<String, Value> {
    let mut properties = Map::new();
    let actions: Vec<&str> = Action::names().collect();
    properties.insert(
        "action".to_owned(),
        json!({ "type": "string", "enum": actions, "description": "What to do." }),
    );
    for row in PARAMETERS {
        properties.insert(row.name.to_owned(), property(row));
    }
    properties.insert(
        "idempotencyKey".to_owned(),
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "Give the same key again to repeat a request without doing it twice. One is made up if left out. Used by every action that changes something.",
        }),
    );
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("required".to_owned(), json!(["action"]));
    schema
}

fn property(row: &ParameterRow) -> Value {
    let mut property = row.shape.schema();
    property.insert(
        "description".to_owned(),
        format!("{} {}", row.says, used_by(row)).into(),
    );
    property.into()
}

fn used_by(row: &ParameterRow) -> String {
    let list = |actions: &[Action]| {
        actions
            .iter()
            .map(Action::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (row.required, row.optional) {
        ([], optional) => format!("Used by: {}.", list(optional)),
        (required, []) => format!("Required by: {}.", list(required)),
        (required, optional) => format!(
            "Required by: {}. Used by: {}.",
            list(required),
            list(optional)
        ),
    }
}

impl Shape {
    fn schema(self) -> Map<String, Value> {
        let schema = match self {
            Self::Text | Self::WordOrWords => json!({ "type": "string" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Words(words) => {
                json!({ "type": "array", "items": { "type": "string", "enum": words } })
            }
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Money => json!({ "type": "number", "minimum": 0 }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Object => json!({ "type": "object" }),
            Self::Checklist => json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "label": { "type": "string" },
                        "checked": { "type": "boolean" },
                        "note": { "type": "string" },
                    },
                    "required": ["label", "checked"],
                },
            }),
            Self::Artifacts => json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string" },
                        "type": { "type": "string", "enum": ["DELIVERABLE", "EVIDENCE", "CHECKLIST", "REPORT"] },
                        "content": { "type": "string" },
                        "url": { "type": "string" },
                        "mimeType": { "type": "string" },
                    },
                    "required": ["name"],
                },
            }),
        };
        match schema {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}
