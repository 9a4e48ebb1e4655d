use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Sends a request; HTTP/1.0 makes the end of the connection the end of the body.
fn send(stub: &StubModel, path: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(stub.address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nx-api-key: k\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

/// Status line and body of the answer.
fn receive(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn ask(stub: &StubModel, path: &str, body: &Value) -> (String, String) {
    receive(send(stub, path, body))
}

fn user_says(text: &str, stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

/// The `data` of every event.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn joined(events: &[Value], pointer: &str) -> String {
    events
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_str())
        .collect()
}

#[test]
fn the_queue_goes_first_and_then_the_closure() {
    let stub = StubModel::start();
    stub.push(Step::status(503));
    stub.answer_with(|request| Step::text(format!("for {}", request["model"])));
    let request = user_says("Hi", false);
    assert!(
        ask(&stub, "/v1/chat/completions", &request)
            .0
            .contains("503")
    );
    assert!(
        ask(&stub, "/chat/completions", &request)
            .1
            .contains(r#""content":"for \"m\"""#)
    );
    assert_eq!((stub.request_count(), stub.steps_left()), (2, 0));
    let recorded = stub.requests().remove(1);
    assert_eq!(
        (recorded.path.as_str(), recorded.api_key.as_deref()),
        ("/chat/completions", Some("k"))
    );
    assert_eq!(recorded.body, request);
}

#[test]
fn unknown_routes_are_not_requests() {
    let stub = StubModel::start();
    assert!(ask(&stub, "/v1/completions", &json!({})).0.contains("404"));
    assert_eq!(stub.request_count(), 0);
}

#[test]
fn openai_streams_text_and_tool_calls() {
    let stub = StubModel::start();
    stub.push(Step::TextAndTools(
        "Let me look.".to_owned(),
        vec![("t".to_owned(), json!({"a": 1}))],
    ));
    let (_, body) = ask(&stub, "/v1/chat/completions", &user_says("Hi", true));
    let events = events(&body);
    assert!(body.ends_with("data: [DONE]\n\n"));
    assert_eq!(joined(&events, "/choices/0/delta/content"), "Let me look.");
    assert_eq!(
        joined(&events, "/choices/0/delta/tool_calls/0/function/arguments"),
        r#"{"a":1}"#
    );
    assert_eq!(joined(&events, "/choices/0/finish_reason"), "tool_calls");
    assert_eq!(events.last().unwrap()["usage"]["total_tokens"], 250);
}

#[test]
fn anthropic_streams_text_and_tool_calls() {
    let stub = StubModel::start();
    stub.set_usage(7, 3);
    stub.push(Step::TextAndTools(
        "Let me look.".to_owned(),
        vec![("t".to_owned(), json!({"a": 1}))],
    ));
    let (_, body) = ask(&stub, "/v1/messages", &user_says("Hi", true));
    let events = events(&body);
    assert_eq!(joined(&events, "/delta/text"), "Let me look.");
    assert_eq!(joined(&events, "/delta/partial_json"), r#"{"a":1}"#);
    assert_eq!(joined(&events, "/delta/stop_reason"), "tool_use");
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 7);
    assert_eq!(joined(&events[events.len() - 1..], "/type"), "message_stop");
}

#[test]
fn a_stalled_or_hanging_answer_comes_when_released() {
    let stub = StubModel::start();
    stub.push_all([Step::Stall, Step::Hang, Step::Stall]);
    let held = [
        send(&stub, "/v1/chat/completions", &user_says("One two", false)),
        send(&stub, "/v1/messages", &user_says("One two", false)),
        send(&stub, "/v1/messages", &user_says("One two", true)),
    ];
    assert!(stub.wait_for_requests_blocking(3, soon()));
    stub.release();
    for stream in held {
        let (status, body) = receive(stream);
        assert!(
            status.contains("200") && body.contains("One ") && body.contains("two"),
            "{body}"
        );
    }
}

#[test]
fn a_delayed_step_is_taken_in_the_end() {
    let stub = StubModel::start();
    stub.always(Step::Delay(
        Duration::from_millis(5),
        Box::new(Step::Refusal("No.".to_owned())),
    ));
    let (_, body) = ask(&stub, "/v1/messages", &user_says("Hi", false));
    assert!(body.contains(r#""stop_reason":"refusal""#), "{body}");
}

#[test]
fn dropping_the_server_ends_what_it_holds() {
    let stub = StubModel::start();
    stub.push(Step::Hang);
    let mut stream = send(&stub, "/v1/messages", &user_says("Hi", false));
    assert!(stub.wait_for_requests_blocking(1, soon()));
    assert!(!stub.wait_for_requests_blocking(2, Instant::now()));
    drop(stub);
    let mut answer = Vec::new();
    // A closed or a reset connection, whichever the system makes of it.
    stream.read_to_end(&mut answer).ok();
    assert_eq!(answer, b"");
}
