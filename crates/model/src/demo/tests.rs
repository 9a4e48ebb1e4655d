use serde_json::{Value, json};

use super::*;
use crate::types::Usage;

fn tool(name: &str, properties: &[&str], required: &[&str]) -> ToolSpec {
    let properties: Map<String, Value> = properties
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string"})))
        .collect();
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": properties, "required": required})
            .into(),
    }
}

fn tools() -> Vec<ToolSpec> {
    vec![
        tool("list_tasks", &["limit", "status"], &[]),
        tool("create_task", &["title", "description"], &["title"]),
        tool(
            "create_document",
            &["title", "content", "task_id"],
            &["title", "content"],
        ),
    ]
}

fn request(message: &str, tools: Vec<ToolSpec>) -> Request {
    Request {
        model: MODEL.to_owned(),
        system: "You are a writer.".to_owned(),
        messages: vec![Message::User(message.to_owned())],
        tools: tools.into(),
        temperature: Some(0.4),
        max_tokens: 1000,
    }
}

/// The only call in the reply to `message`.
fn call_for(message: &str, tools: Vec<ToolSpec>) -> ToolCall {
    let mut reply = reply(&request(message, tools), MODEL);
    assert_eq!(
        (reply.stop, reply.tool_calls.len()),
        (Stop::ToolCalls, 1),
        "{reply:?}"
    );
    assert!(reply.text.contains("demo model"), "{}", reply.text);
    reply.tool_calls.remove(0)
}

/// The text after `message` led to a call whose result is `result`.
fn text_after(message: &str, result: &str) -> String {
    let mut request = request(message, tools());
    let call = reply(&request, MODEL);
    let call_id = call.tool_calls[0].id.clone();
    request.messages.push(Message::Assistant {
        text: call.text,
        tool_calls: call.tool_calls,
    });
    request.messages.push(Message::ToolResult {
        call_id,
        content: result.to_owned(),
    });
    let reply = reply(&request, MODEL);
    assert_eq!((reply.stop, reply.tool_calls.len()), (Stop::End, 0));
    reply.text
}

#[test]
fn a_document_is_created_when_something_is_to_be_written() {
    let call = call_for("Please write a plan for the open day", tools());
    assert_eq!(call.name, "create_document");
    assert_eq!(call.arguments["title"], "Plan for the open day");
    let content = call.arguments["content"].as_str().unwrap();
    assert!(
        content.starts_with("# Plan for the open day\n\n> Please write a plan for the open day"),
        "{content}"
    );
    assert_eq!(call.arguments.get("task_id"), None);
}

#[test]
fn a_task_is_created_when_something_is_to_be_done_later() {
    let call = call_for("Create a task to call the printer", tools());
    assert_eq!(call.name, "create_task");
    assert_eq!(
        call.arguments,
        json!({"title": "Call the printer", "description": "Asked for: Create a task to call the printer"})
    );
}

#[test]
fn the_tasks_are_listed_for_anything_else() {
    let call = call_for("What is open?", tools());
    assert_eq!(
        (call.name.as_str(), call.arguments),
        ("list_tasks", json!({"limit": 5}))
    );
}

#[test]
fn arguments_keep_to_what_the_tool_lists() {
    let call = call_for(
        "Add a task: order paper",
        vec![tool("create_task", &["title"], &["title"])],
    );
    assert_eq!(call.arguments, json!({"title": "Order paper"}));
}

#[test]
fn a_required_id_is_taken_from_the_conversation_and_never_made_up() {
    let document = tool(
        "create_document",
        &["title", "content", "task_id"],
        &["title", "task_id"],
    );
    let mut request = request(
        "write a report",
        vec![document.clone(), tool("list_tasks", &[], &[])],
    );
    assert_eq!(reply(&request, MODEL).tool_calls[0].name, "list_tasks");
    request.system = "The current task_id is `ignored`; task_id: `0195-ab`.".to_owned();
    request
        .messages
        .insert(0, Message::System("task_id: `0195-ab`".to_owned()));
    assert_eq!(
        reply(&request, MODEL).tool_calls[0].arguments["task_id"],
        "0195-ab"
    );
}

#[test]
fn other_required_arguments_are_filled_by_their_schema() {
    let mut document = tool(
        "create_document",
        &["title"],
        &["title", "doc_type", "count"],
    );
    let mut schema = Value::clone(&document.parameters);
    schema["properties"]["doc_type"] = json!({"type": "string", "enum": ["plan", "note"]});
    schema["properties"]["count"] = json!({"type": "integer", "minimum": 2});
    document.parameters = schema.into();
    let call = call_for("write a report", vec![document]);
    assert_eq!(
        call.arguments,
        json!({"title": "Report", "doc_type": "plan", "count": 2})
    );
}

#[test]
fn listed_tasks_are_told_with_their_titles() {
    let result = json!({"items": [
        {"id": "1", "title": "Call the printer", "status": "in_progress"},
        {"id": "2", "title": "Order paper", "status": "inbox"},
    ], "next_cursor": null});
    assert_eq!(
        text_after("What is open?", &result.to_string()),
        "I am stationmaster's built-in demo model, so this answer follows a script.\n\n\
         You asked: “What is open?”\n\n\
         I looked at the task list: there are 2 tasks.\n\n\
         - **Call the printer** (in progress)\n\
         - **Order paper** (inbox)"
    );
    assert!(text_after("What is open?", "[]").ends_with("there are no tasks yet."));
    assert!(
        text_after("What is open?", r#"[{"title": "A"}]"#).ends_with("there is 1 task.\n\n- **A**")
    );
    let page = json!({"items": [{"title": "A"}, {"title": "B"}], "next_cursor": "c"}).to_string();
    assert!(text_after("What is open?", &page).contains("more than 2 tasks"));
    let many = Value::from_iter(
        (0..7)
            .map(|n| json!({"title": format!("T{n}")}))
            .collect::<Vec<_>>(),
    );
    assert!(text_after("What is open?", &many.to_string()).ends_with("- **T4**\n- and 2 more"));
}

#[test]
fn created_things_are_told_with_title_and_id() {
    let text = text_after(
        "Create a task to call the printer",
        r#"{"id": "t-9", "title": "Call the printer"}"#,
    );
    assert!(
        text.contains("I created the task **Call the printer** (`t-9`)."),
        "{text}"
    );
    let text = text_after("write a report", r#"{"document": {"id": "d-1"}}"#);
    assert!(
        text.contains("I wrote the document **Report** (`d-1`)."),
        "{text}"
    );
}

#[test]
fn a_failed_tool_is_told_as_failed() {
    for result in [
        r#"{"error": {"message": "over budget"}}"#,
        r#"{"error": "over budget"}"#,
        "Error: over budget",
    ] {
        let text = text_after("write a report", result);
        assert!(
            text.contains("`create_document`, but it failed: ") && text.contains("over budget"),
            "{text}"
        );
    }
}

#[test]
fn without_tools_it_answers_in_text() {
    let reply = reply(&request("What is open?", Vec::new()), MODEL);
    assert_eq!((reply.stop, reply.tool_calls.len()), (Stop::End, 0));
    assert!(
        reply.text.contains("demo model") && reply.text.contains("“What is open?”"),
        "{}",
        reply.text
    );
}

#[test]
fn a_kick_off_is_answered_with_the_plan_itself() {
    let reply = reply(
        &request(
            "Write a short plan.\n\nUser request: find three schools",
            tools(),
        ),
        MODEL,
    );
    assert!(reply.tool_calls.is_empty());
    assert!(
        reply.text.starts_with("# Find three schools\n"),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("demo model"));
}

#[test]
fn a_heartbeat_is_answered_by_its_convention() {
    let message = "Check what is due. If nothing is, answer HEARTBEAT_OK.";
    assert_eq!(
        reply(&request(message, tools()), MODEL).text,
        "HEARTBEAT_OK"
    );
}

#[test]
fn tokens_are_a_quarter_of_the_characters() {
    let reply = reply(&request("Hi", Vec::new()), MODEL);
    let output_tokens = reply.text.chars().count().div_ceil(4) as u64;
    assert_eq!(
        reply.usage,
        Usage {
            input_tokens: 5,
            output_tokens,
            ..Usage::default()
        }
    );
}

#[test]
fn an_empty_conversation_is_no_reason_to_panic() {
    let mut request = request("", tools());
    request.messages.clear();
    assert_eq!(reply(&request, MODEL).tool_calls[0].name, "list_tasks");
}
