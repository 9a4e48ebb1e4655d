//! Keeping what tools say and are told within bounds.

use serde_json::{Value, json};

/// The most that the model is told about one call, in bytes of JSON.
pub(super) const LONGEST_RESULT: usize = 16 * 1024;
/// The same for a skill, whose whole text is what the call is for: 20,000 characters, written in
/// whatever script. And for what MCP servers give, which has its bound in characters.
const LONGEST_TEXT: usize = 128 * 1024;
/// The most that is remembered of one call's arguments.
const LONGEST_ARGUMENTS: usize = 4 * 1024;

/// A result as the model gets it: JSON, and when it is too long, its start and the truth about it.
pub(super) fn content(result: &Value, longest: usize) -> String {
    let text = result.to_string();
    if text.len() <= longest {
        return text;
    }
    // Quoting can make the start longer again, at most sixfold.
    let mut kept = longest;
    loop {
        let start = start(&text, kept);
        let cut = json!({ "truncated": true, "bytes": text.len(), "start": start }).to_string();
        if cut.len() <= longest {
            return cut;
        }
        kept -= kept / 8;
    }
}

/// The most that the model is told about one call of this tool.
pub(super) fn longest(tool: &str, is_served: bool) -> usize {
    if is_served || tool == super::skill::LOAD.name {
        LONGEST_TEXT
    } else {
        LONGEST_RESULT
    }
}

/// Arguments as they go into the record of a turn.
pub(crate) fn kept_arguments(arguments: &Value) -> Value {
    let text = arguments.to_string();
    if text.len() <= LONGEST_ARGUMENTS {
        return arguments.clone();
    }
    Value::String(format!("{}…", start(&text, LONGEST_ARGUMENTS)))
}

fn start(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_result_is_untouched_and_a_long_one_says_that_it_was_cut() {
        let short = json!({ "tasks": [] });
        assert_eq!(content(&short, LONGEST_RESULT), r#"{"tasks":[]}"#);
        for unit in ["x", "ü", "\"", "\u{1}"] {
            let text = content(&json!({ "text": unit.repeat(20_000) }), LONGEST_RESULT);
            assert!(text.len() <= LONGEST_RESULT, "{unit:?}");
            let cut: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(cut["truncated"], true);
            assert!(cut["start"].as_str().unwrap().starts_with("{\"text\":\""));
        }
    }

    #[test]
    fn long_arguments_are_remembered_by_their_start() {
        let short = json!({ "title": "x" });
        assert_eq!(kept_arguments(&short), short);
        let kept = kept_arguments(&json!({ "content": "ü".repeat(5_000) }));
        let kept = kept.as_str().unwrap();
        assert!(kept.starts_with("{\"content\":\"ü") && kept.ends_with("ü…"));
        assert!(kept.len() <= LONGEST_ARGUMENTS + 3);
    }
}
