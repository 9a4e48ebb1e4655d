//! From a step to an HTTP response.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};

use super::saying::{Format, Saying};
use super::script::Script;
use super::step::{Cut, Step};

/// Does what `step` says; `held` ends when the test releases held answers.
pub(super) async fn to(
    script: &Script,
    format: Format,
    request: &Value,
    mut step: Step,
    held: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    while let Step::Delay(pause, next) = step {
        tokio::time::sleep(pause).await;
        step = *next;
    }
    let saying = match step {
        Step::Status {
            code,
            retry_after,
            body,
        } => return status(format, code, retry_after, body),
        Step::Garbage => return json_bytes("{\"choices\": [ this is not JSON"),
        Step::Json(body) => return json_bytes(body.to_string()),
        Step::Text(text) => script.say(request, Some(text), Vec::new()),
        Step::Tools(tools) => script.say(request, None, tools),
        Step::TextAndTools(text, tools) => script.say(request, Some(text), tools),
        Step::Empty => script.say(request, None, Vec::new()),
        Step::Refusal(words) => Saying {
            refusal: Some(words),
            ..script.say(request, None, Vec::new())
        },
        Step::Echo => script.say(request, Some(last_user_text(request)), Vec::new()),
        Step::Hang => {
            held.await;
            script.say(request, Some(last_user_text(request)), Vec::new())
        }
        Step::Stall => {
            let saying = script.say(request, Some(last_user_text(request)), Vec::new());
            return stalled(&saying, format, is_stream(request), held);
        }
        Step::Cut { text, words, then } => {
            let saying = script.say(request, Some(text), Vec::new());
            if is_stream(request) {
                return cut(&saying, format, words, then, held);
            }
            saying
        }
        Step::Delay(..) => unreachable!("the loop above took every delay"),
    };
    if is_stream(request) {
        return event_stream(Body::from(saying.events(format).concat()));
    }
    json_bytes(saying.whole(format).to_string())
}

fn is_stream(request: &Value) -> bool {
    request["stream"] == true
}

/// The last thing the user said, in whatever format.
fn last_user_text(request: &Value) -> String {
    let messages = request.get("messages").or(request.get("input"));
    let messages = messages
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let of_user = messages
        .iter()
        .rev()
        .filter(|message| message["role"] == "user");
    of_user
        .map(|message| text_of(&message["content"]))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

pub(super) fn no_such_route() -> Response<Body> {
    let mut response = Response::new(Body::from("no such route"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn json_bytes(body: impl Into<Body>) -> Response<Body> {
    typed("application/json", body.into())
}

fn event_stream(body: Body) -> Response<Body> {
    typed("text/event-stream", body)
}

fn status(format: Format, code: u16, retry_after: Option<u64>, body: Value) -> Response<Body> {
    let message = format!("the stub was told to answer {code}");
    let body = match (body, format) {
        (Value::Null, Format::OpenAi | Format::Responses) => {
            json!({"error": {"message": message, "type": "stub_error", "param": null, "code": null}})
        }
        (Value::Null, Format::Anthropic) => {
            json!({"type": "error", "error": {"type": "stub_error", "message": message}})
        }
        (body, _) => body,
    };
    let mut response = json_bytes(body.to_string());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The first part of an answer now, the rest when released.
fn stalled(
    saying: &Saying,
    format: Format,
    stream: bool,
    held: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    let (first, rest) = if stream {
        let mut events = saying.events(format);
        let rest = events.split_off(1);
        (events.concat(), rest.concat())
    } else {
        let mut whole = saying.whole(format).to_string();
        let rest = whole.split_off(whole.find('{').unwrap_or_default() + 1);
        (whole, rest)
    };
    let rest = stream::once(async move {
        held.await;
        Ok::<_, Infallible>(rest)
    });
    let body = Body::from_stream(stream::once(async { Ok(first) }).chain(rest));
    if stream {
        event_stream(body)
    } else {
        json_bytes(body)
    }
}

/// A stream up to its first so many words, and then what `then` says.
fn cut(
    saying: &Saying,
    format: Format,
    words: usize,
    then: Cut,
    held: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    let mut events = saying.events(format);
    // What stands before the first word.
    let opening = match format {
        Format::OpenAi | Format::Responses => 1,
        Format::Anthropic => 2,
    };
    let rest = events
        .split_off((opening + words).min(events.len()))
        .concat();
    let end = async move {
        match then {
            Cut::Stall => {
                held.await;
                Ok(rest)
            }
            Cut::Drop => {
                // Bytes that wait to be sent would be lost with the connection.
                if words > 0 {
                    held.await;
                }
                Err(std::io::Error::other("the script says so"))
            }
            Cut::End => Ok(String::new()),
            Cut::Garbage => Ok("data: {\"choices\": [ this is not JSON\n\n".to_owned()),
            Cut::Error => Ok("data: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"too much\"}}\n\n".to_owned()),
        }
    };
    let first = stream::once(async move { Ok(events.concat()) });
    event_stream(Body::from_stream(first.chain(stream::once(end))))
}
