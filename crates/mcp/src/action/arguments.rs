//! What a client sent, held against the table: everything wrong with it is found before anything is done.

use serde_json::{Map, Value};

use super::table::{Action, PARAMETERS, ParameterRow, Shape};

/// Ids longer than this are not ids of ours; a path has a bound too.
const LONGEST_ID: usize = 128;

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) field: String,
    pub(crate) message: String,
}

/// The parameters of one action, of the shapes the table gives them.
///
/// The getters answer `None` for what is absent and for what was refused; [`Self::finish`] tells the two apart.
pub(crate) struct Arguments {
    values: Map<String, Value>,
    /// The caller gave an idempotency key.
    pub(super) is_keyed: bool,
    /// Names that are no parameter of the tool at all, kept for the complaint.
    unknown: Vec<String>,
    problems: Vec<Problem>,
}

impl Arguments {
    /// Takes from `given` what `action` takes. Parameters of other actions are left alone, as models like to
    /// fill in everything they see; `null` and an empty text are the same as nothing, for the same reason.
    pub(super) fn new(action: Action, given: &Map<String, Value>) -> Self {
        let mut this = Self {
            values: Map::new(),
            is_keyed: given
                .get("idempotencyKey")
                .is_some_and(|key| !is_nothing(key)),
            unknown: Vec::new(),
            problems: Vec::new(),
        };
        for row in PARAMETERS.iter().filter(|row| row.is_taken_by(action)) {
            match given.get(row.name).filter(|value| !is_nothing(value)) {
                None if row.required.contains(&action) => this.missing(row.name, row.shape),
                None => {}
                Some(value) => match row.shape.read(value) {
                    Ok(value) => {
                        this.values.insert(row.name.to_owned(), value);
                    }
                    Err(wanted) => {
                        this.problem(row.name, format!("must be {wanted}, not {}", kind(value)))
                    }
                },
            }
        }
        let known = |name: &str| {
            matches!(name, "action" | "idempotencyKey")
                || PARAMETERS.iter().any(|row| row.name == name)
        };
        this.unknown = given
            .keys()
            .filter(|name| !known(name))
            .take(10)
            .cloned()
            .collect();
        this
    }

    pub(super) fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    fn missing(&mut self, field: &str, shape: Shape) {
        let message = format!("is missing ({})", shape.wanted());
        self.problem(field, message);
    }

    /// Says that `field` is missing, unless it is there or something else is already wrong with it.
    pub(super) fn need(&mut self, field: &str) {
        let complained = self.problems.iter().any(|problem| problem.field == field);
        if self.values.contains_key(field) || complained {
            return;
        }
        if let Some(row) = PARAMETERS.iter().find(|row| row.name == field) {
            self.missing(field, row.shape);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The parameter's value as it is to be sent on.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.shift_remove(name)
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The id in `name`, fit to be a segment of a path; empty, with a problem noted, if it is not.
    pub(super) fn id(&mut self, name: &str) -> String {
        let Some(id) = self.text(name) else {
            return String::new();
        };
        if is_id(&id) {
            return id;
        }
        self.problem(
            name,
            format!(
                "must be an id (up to {LONGEST_ID} letters, digits, '_', '-', '.', ':'), not {}",
                shown(&id)
            ),
        );
        String::new()
    }

    /// # Errors
    /// Every problem found; a last one names what was sent that nothing knows, as it may be a slip of the pen.
    pub(super) fn finish(mut self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(());
        }
        for name in std::mem::take(&mut self.unknown) {
            self.problem(&shown(&name), "is not a parameter of this tool");
        }
        Err(self.problems)
    }
}

/// Whether `text` can stand in a path as it is and cannot climb out of it.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len())
        && text.bytes().all(fits)
        && text.bytes().any(|byte| byte != b'.')
}

impl ParameterRow {
    fn is_taken_by(&self, action: Action) -> bool {
        self.required.contains(&action) || self.optional.contains(&action)
    }
}

impl Shape {
    /// The value in the form it is sent on, or what it should have been.
    ///
    /// Some clients put lists and objects into a text of JSON; that is undone here.
    fn read(self, value: &Value) -> Result<Value, String> {
        let unpacked = match (self, value) {
            (Self::Text | Self::Word(_) | Self::Time | Self::WordOrWords, _) => None,
            (_, Value::String(text)) if text.trim_start().starts_with(['[', '{']) => {
                serde_json::from_str(text).ok()
            }
            _ => None,
        };
        let value = unpacked.as_ref().unwrap_or(value);
        match self {
            Self::Words(_) => comma_separated(value),
            Self::WordOrWords => words(value),
            _ => self.fits(value).then(|| value.clone()),
        }
        .ok_or_else(|| self.wanted())
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text | Self::Word(_) | Self::Time => value.is_string(),
            Self::Texts | Self::Words(_) => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            Self::WordOrWords => value.is_string(),
            Self::Count => value.is_u64(),
            Self::Money => value.is_number(),
            Self::Object => value.is_object(),
            Self::Checklist | Self::Artifacts => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_object)),
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Texts => "a list of texts".to_owned(),
            Self::Words(words) => format!("a list of {}", words.join(", ")),
            Self::WordOrWords => "a word, or several separated by commas".to_owned(),
            Self::Count => "a whole number from 0".to_owned(),
            Self::Money => "a number of US dollars".to_owned(),
            Self::Time => "a time such as 2026-01-31T12:00:00Z".to_owned(),
            Self::Object => "a JSON object".to_owned(),
            Self::Checklist => {
                "a list of {\"label\":…,\"checked\":true|false,\"note\":…}".to_owned()
            }
            Self::Artifacts => {
                "a list of {\"name\":…,\"type\":…,\"content\":… or \"url\":…}".to_owned()
            }
        }
    }
}

/// A list of words, or a text that lists them, as a list.
fn comma_separated(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(
            text.split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(Value::from)
                .collect(),
        ),
        list => Shape::Texts.fits(list).then(|| list.clone()),
    }
}

/// A word, or a list of words joined by commas.
fn words(value: &Value) -> Option<Value> {
    let Value::Array(items) = value else {
        return value.is_string().then(|| value.clone());
    };
    let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    Some(words?.join(",").into())
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A client's text in a message, at a bearable length.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        format!("{start:?}…")
    } else {
        format!("{start:?}")
    }
}
