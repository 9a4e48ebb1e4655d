//! A member of a reply as text for people.

use serde_json::Value;

use super::{Style, clean, time};

/// What a member holds, and so how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An id: never cut, because it is there to be copied.
    Id,
    Text,
    /// Text that gives way when there is no room.
    Long,
    /// A word of an enum, coloured by what it means.
    Word,
    Money,
    When,
    /// A number of seconds.
    Seconds,
}

/// A member by its name; a dot leads into an object.
pub(crate) fn member<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, name| &value[name])
}

/// A member on one line, safe for a terminal; empty for null.
pub(crate) fn shown(value: &Value, kind: Kind, style: &Style) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Kind::When, Value::String(text)) => clean::line(&time::relative(text, style.now)),
        (Kind::Money, Value::Number(_)) => money(value),
        (Kind::Seconds, Value::Number(number)) => number
            .as_f64()
            .map_or_else(String::new, |seconds| time::span(seconds.max(0.0) as u64)),
        _ => clean::line(&plain(value)),
    }
}

/// A value without decoration: lists separated by commas, objects as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

/// US dollars: two decimals, up to six if there are any.
fn money(value: &Value) -> String {
    let text = format!("{:.6}", value.as_f64().unwrap_or_default());
    let cents = text.len() - 4;
    let kept = text.trim_end_matches('0').len().max(cents);
    format!("${}", text.get(..kept).unwrap_or(&text))
}

/// A word in the colour of its meaning.
pub(crate) fn coloured(text: &str, word: &str) -> String {
    let colour = match word {
        "DONE" | "ACTIVE" | "HEALTHY" | "ALLOW" | "APPROVED" | "GREEN" | "COMPLETED"
        | "SUCCESS" | "DELIVERED" | "RESOLVED" | "NORMAL" => "32",
        "BLOCKED" | "QUARANTINED" | "ERROR" | "DENY" | "DENIED" | "RED" | "FAILED" | "CRITICAL"
        | "TIMEOUT" => "31",
        "NEEDS_APPROVAL" | "PENDING" | "PAUSED" | "DRAINED" | "DEGRADED" | "YELLOW" | "WARNING"
        | "REVIEW" | "OPEN" | "EXPIRED" | "DRAINING" => "33",
        "IN_PROGRESS" | "RUNNING" | "BUSY" => "36",
        "CANCELED" | "OFFLINE" | "IDLE" | "IGNORED" | "ACKED" => "2",
        _ => return text.to_owned(),
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// A heading.
pub(crate) fn bold(text: &str, style: &Style) -> String {
    if style.colours {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_has_two_decimals_or_as_many_as_it_needs() {
        for (amount, said) in [
            (json!(5), "$5.00"),
            (json!(0.45), "$0.45"),
            (json!(0.123_456), "$0.123456"),
            (json!(1.5), "$1.50"),
        ] {
            assert_eq!(money(&amount), said);
        }
    }

    #[test]
    fn a_dot_leads_into_an_object() {
        assert_eq!(member(&json!({"a": {"b": 1}}), "a.b"), &json!(1));
        assert_eq!(member(&json!({"a": 1}), "a.b"), &Value::Null);
    }
}
