//! Tasks: finding, claiming, starting, talking about and handing in (contract sections 4 and 5).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Actor, Arguments, Call, Members, Plan};

/// What stands for itself in a query (RFC 3986, "unreserved").
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn list(arguments: &mut Arguments) -> Plan {
    let filters = ["status", "type", "assigneeId", "limit", "search"]
        .into_iter()
        .filter_map(|name| arguments.take(name).map(|value| query_pair(name, &value)));
    let query = filters.collect::<Vec<_>>().join("&");
    let path = if query.is_empty() {
        "/api/v1/tasks".to_owned()
    } else {
        format!("/api/v1/tasks?{query}")
    };
    Call::get(path).into()
}

fn query_pair(name: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        other => other.to_string(),
    };
    format!("{name}={}", utf8_percent_encode(&text, QUERY))
}

pub(super) fn get(arguments: &mut Arguments) -> Plan {
    Call::get(format!("/api/v1/tasks/{}", arguments.id("taskId"))).into()
}

pub(super) fn claim(arguments: &mut Arguments, actor: &Actor) -> Plan {
    let body = Members::default().set("assigneeIds", json!([actor.agent]));
    Call::patch(format!("/api/v1/tasks/{}", arguments.id("taskId")), body).into()
}

pub(super) fn start(arguments: &mut Arguments) -> Plan {
    if !arguments.has("bullets") && !arguments.has("content") {
        arguments.need("bullets");
    }
    let content = arguments
        .text("content")
        .map(|text| Value::from(steps(&text)));
    let work_plan = Members::default()
        .maybe("bullets", arguments.take("bullets").or(content))
        .maybe("estimatedCost", arguments.take("estimatedCost"))
        .maybe("estimatedDuration", arguments.text("estimatedDuration"))
        .maybe("dependencies", arguments.take("dependencies"));
    let body = Members::default()
        .set("toStatus", "IN_PROGRESS")
        .set("workPlan", work_plan)
        .maybe("reason", arguments.text("reason"));
    transition(&arguments.id("taskId"), body).into()
}

/// The steps of a plan written as text: one a line, without their bullets and numbers.
///
/// The two characters `\n` also end a line: a plan that came through a shell's double quotes has those
/// (contract section 14, `--plan`).
fn steps(text: &str) -> Vec<String> {
    let text = text.replace("\\n", "\n");
    text.lines()
        .map(without_marker)
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect()
}

fn without_marker(line: &str) -> &str {
    let line = line.trim();
    let numberless = line.trim_start_matches(|character: char| character.is_ascii_digit());
    let rest = if numberless.len() < line.len() {
        numberless.strip_prefix(['.', ')'])
    } else {
        line.strip_prefix(['-', '*'])
    };
    // "2.5 hours" and "-v" are words, not markers: a marker stands apart.
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest.trim(),
        _ => line,
    }
}

pub(super) fn comment(arguments: &mut Arguments) -> Plan {
    let kind = arguments
        .text("messageType")
        .unwrap_or_else(|| "COMMENT".to_owned());
    let body = Members::default()
        .set("type", kind)
        .maybe("content", arguments.text("content"))
        .maybe("mentions", arguments.take("mentions"));
    message(&arguments.id("taskId"), body).into()
}

/// Two calls: the checklist must name the task's type (contract section 5.5), so the task is read first.
pub(super) fn submit(arguments: &mut Arguments) -> Plan {
    let id = arguments.id("taskId");
    let deliverable = Members::default()
        .maybe("content", arguments.text("content"))
        .set(
            "artifacts",
            arguments
                .take("artifacts")
                .map_or_else(|| json!([]), typed_artifacts),
        )
        .maybe("summary", arguments.text("summary"));
    let items = arguments.take("checklist");
    let notes = arguments.text("checklistNotes");
    let reason = arguments.text("reason");
    let first = Call::get(format!("/api/v1/tasks/{id}"));
    let then = move |task: &Value| {
        let checklist = Members::default()
            .maybe("type", task.get("type").cloned())
            .maybe("items", items)
            .maybe("notes", notes);
        let body = Members::default()
            .set("toStatus", "REVIEW")
            .set("deliverable", deliverable)
            .set("reviewChecklist", checklist)
            .maybe("reason", reason);
        Some(transition(&id, body))
    };
    Plan {
        first,
        then: Some(Box::new(then)),
    }
}

/// The artifacts, each of which is part of the deliverable unless it says otherwise.
fn typed_artifacts(mut artifacts: Value) -> Value {
    for artifact in artifacts
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        artifact
            .entry("type")
            .or_insert_with(|| "DELIVERABLE".into());
    }
    artifacts
}

pub(super) fn artifact(arguments: &mut Arguments) -> Plan {
    if !arguments.has("content") && !arguments.has("url") {
        arguments.need("content");
    }
    let name = arguments.text("name").unwrap_or_default();
    let note = arguments.text("note").unwrap_or_else(|| name.clone());
    let kind = arguments
        .text("artifactType")
        .unwrap_or_else(|| "DELIVERABLE".to_owned());
    let artifact = Members::default()
        .set("name", name)
        .set("type", kind)
        .maybe("content", arguments.text("content"))
        .maybe("url", arguments.text("url"))
        .maybe("mimeType", arguments.text("mimeType"));
    let body = Members::default()
        .set("type", "ARTIFACT")
        .set("content", note)
        .set("artifacts", vec![Value::from(artifact)]);
    message(&arguments.id("taskId"), body).into()
}

fn transition(id: &str, body: Members) -> Call {
    Call::post(format!("/api/v1/tasks/{id}/transition"), body)
}

fn message(id: &str, body: Members) -> Call {
    Call::post(format!("/api/v1/tasks/{id}/messages"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_as_text_loses_its_markers_and_blank_lines() {
        let check = |text: &str, expected: &[&str]| assert_eq!(steps(text), expected, "{text:?}");
        check(
            "1. read\n2) write\n\n- test\n* ship",
            &["read", "write", "test", "ship"],
        );
        check("read\\nwrite\\n test ", &["read", "write", "test"]);
        check(
            "2.5 hours of reading\n-v flag\n10 tests\n3.",
            &["2.5 hours of reading", "-v flag", "10 tests"],
        );
        check("\n \n", &[]);
    }
}
