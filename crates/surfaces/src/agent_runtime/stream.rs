//! A turn whose answer is heard as it comes (§11).

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use stationmaster_runtime::{Ended, Follower, Listener, TurnError};
use tokio::sync::Notify;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::request::Asked;
use super::send::{PausedReply, SendBody, SendReply, TRACE_ID, read};

/// A comment goes out when nothing else did for so long, so that proxies keep the line open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How much may wait for its reader, in bytes; one that is further behind is cut off.
const MOST: usize = 1024 * 1024;

/// What a turn says, for the reader to take: what waits becomes one chunk, so the turn never waits.
#[derive(Default)]
struct Feed {
    state: Mutex<Heard>,
    news: Notify,
}

#[derive(Default)]
struct Heard {
    /// The ids of its task and its trace.
    began: Option<(String, String)>,
    /// What the reader has not taken yet.
    text: String,
    /// Anything was said at all.
    any: bool,
    too_slow: bool,
    /// Nobody reads any more.
    is_left: bool,
    ended: Option<Result<Ended, TurnError>>,
}

impl Feed {
    fn change(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.state());
        self.news.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, Heard> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `look` finds, as soon as it finds something. There is one reader.
    async fn find<T>(&self, mut look: impl FnMut(&mut Heard) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            self.news.notified().await;
        }
    }
}

impl Listener for Feed {
    fn heard(&self, text: &str) {
        self.change(|it| {
            it.any = true;
            it.too_slow |= it.text.len() + text.len() > MOST;
            if !it.is_left && !it.too_slow {
                it.text.push_str(text);
            }
        });
    }
}

impl Follower for Feed {
    fn began(&self, task_id: &str, trace_id: &str) {
        self.change(|it| it.began = Some((task_id.to_owned(), trace_id.to_owned())));
    }
}

/// Ends the feed of a turn that broke off, too.
struct Speaker(Arc<Feed>);

impl Drop for Speaker {
    fn drop(&mut self) {
        self.0.change(|it| {
            it.ended.get_or_insert_with(|| {
                Err(TurnError::Internal {
                    message: "the turn broke off".to_owned(),
                })
            });
        });
    }
}

/// Tells the feed when nobody reads any more.
struct Reader {
    feed: Arc<Feed>,
    stage: Stage,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.feed.state();
        state.is_left = true;
        state.text = String::new();
    }
}

enum Stage {
    Start,
    Talk,
    /// Frames that are left, last one first.
    End(Vec<Event>),
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        match &mut self.stage {
            Stage::Start => {
                self.stage = Stage::Talk;
                let state = self.feed.state();
                let data = match &state.began {
                    Some((task, trace)) => {
                        json!({"type": "start", "task_id": id(task), "trace_id": trace})
                    }
                    None => json!({"type": "start"}),
                };
                return Some(frame("start", &data));
            }
            Stage::End(frames) => return frames.pop(),
            Stage::Talk => {}
        }
        let mut frames = self.feed.find(Heard::take).await;
        let next = frames.pop();
        if !frames.is_empty() || next.as_ref().is_some_and(|(_, is_last)| *is_last) {
            self.stage = Stage::End(frames.into_iter().map(|(frame, _)| frame).collect());
        }
        next.map(|(frame, _)| frame)
    }
}

impl Heard {
    /// What is there to be read now, last frame first, each with whether it ends the stream.
    fn take(&mut self) -> Option<Vec<(Event, bool)>> {
        if self.too_slow {
            let data = json!({"type": "error", "code": "reader_too_slow",
                "error": "too much waits to be read; the turn goes on without this reader"});
            return Some(vec![(frame("error", &data), true)]);
        }
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            return Some(vec![(chunk(&text), false)]);
        }
        let any = self.any;
        Some(match self.ended.take()? {
            Ok(Ended::Answered(outcome) | Ended::Replayed(outcome)) => {
                // What was said before is not said again word by word.
                let whole = (!any).then(|| (chunk(&outcome.response), false));
                let done = done(&SendReply::from(*outcome));
                std::iter::once((done, true)).chain(whole).collect()
            }
            Ok(Ended::Paused(pause)) => {
                let mut data = json!(PausedReply::from(pause));
                data["type"] = "paused".into();
                vec![(frame("paused", &data), true)]
            }
            Err(error) => vec![(failed(&error), true)],
        })
    }
}

fn frame(kind: &str, data: &Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}

fn chunk(text: &str) -> Event {
    frame("chunk", &json!({"type": "chunk", "data": text}))
}

/// All that `send` answers.
fn done(reply: &SendReply) -> Event {
    let mut data = json!(reply);
    data["type"] = "done".into();
    if data["task_id"] == "" {
        data["task_id"] = Value::Null;
    }
    frame("done", &data)
}

fn failed(error: &TurnError) -> Event {
    let mut data = json!({"type": "error", "error": error.to_string(), "code": error.code()});
    if let Some(wait) = error.retry_after() {
        data["retry_after"] = wait.as_secs().max(1).into();
    }
    frame("error", &data)
}

/// The id, where there is one.
fn id(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Runs a turn and answers with what it says. The turn goes on when its reader goes away.
pub(super) async fn answer(daemon: &Daemon, asked: Asked) -> Result<Response, Problem> {
    let place = daemon.place()?;
    let feed = Arc::new(Feed::default());
    let (runtime, speaker) = (daemon.runtime.clone(), Speaker(feed.clone()));
    daemon.turns.spawn(async move {
        let ended = runtime.send_heard(asked.turn, Some(&*speaker.0)).await;
        speaker.0.change(|it| it.ended = Some(ended));
        drop((speaker, place));
    });
    // What fails before the model is asked is answered like any failure.
    let trace = feed.find(Heard::start).await?;
    let reader = Reader {
        feed,
        stage: Stage::Start,
    };
    let frames = stream::unfold(reader, |mut reader| async move {
        let frame = reader.next().await?;
        Some((Ok::<_, Infallible>(frame), reader))
    });
    let frames = Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = frames.into_response();
    if let Some(Ok(trace)) = trace.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(TRACE_ID, trace);
    }
    Ok(response)
}

impl Heard {
    /// The trace's id once the turn has begun, or what is known instead of it.
    fn start(&mut self) -> Option<Result<Option<String>, TurnError>> {
        if let Some((_, trace)) = &self.began {
            return Some(Ok(Some(trace.clone())));
        }
        match self.ended.take()? {
            Err(error) => Some(Err(error)),
            Ok(ended) => {
                let trace = match &ended {
                    Ended::Answered(outcome) | Ended::Replayed(outcome) => {
                        Some(outcome.trace_id.clone())
                    }
                    Ended::Paused(_) => None,
                };
                self.ended = Some(Ok(ended));
                Some(Ok(trace))
            }
        }
    }
}

/// Ask an agent and hear its answer as it comes
///
/// Frames are `start`, `chunk` with `data`, and one of `done` (with what `/api/agents/send` answers), `paused` (the turn waits for a
/// decision) and `error` with `error` and `code`. The answer is posted to the task's thread, where a task is given or configured.
#[utoipa::path(post, path = "/api/agents/stream", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("Idempotency-Key" = Option<String>, Header), ("X-Trace-Id" = Option<String>, Header), ("traceparent" = Option<String>, Header)),
    request_body = SendBody,
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 429, body = ErrorBody), (status = 413, body = ErrorBody), (status = 500, body = ErrorBody),
        (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(super) async fn stream(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let mut asked = read(&daemon, &headers, content).await?;
    asked.turn.may_lack_task = true;
    answer(&daemon, asked).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_put_together_and_has_a_bound() {
        let feed = Feed::default();
        feed.heard("One ");
        feed.heard("two");
        assert_eq!(feed.state().text, "One two");
        let (_, is_last) = feed.state().take().unwrap().remove(0);
        assert!(!is_last && feed.state().text.is_empty());
        assert!(feed.state().take().is_none(), "nothing has happened since");

        let piece = "x".repeat(MOST / 4);
        for _ in 0..9 {
            feed.heard(&piece);
        }
        assert!(feed.state().text.len() <= MOST);
        let (_, is_last) = feed.state().take().unwrap().remove(0);
        assert!(is_last, "the reader is cut off");
    }

    #[test]
    fn nothing_is_kept_for_a_reader_that_has_left() {
        let feed = Arc::new(Feed::default());
        feed.heard("One ");
        drop(Reader {
            feed: feed.clone(),
            stage: Stage::Talk,
        });
        feed.heard("two");
        assert_eq!(feed.state().text, "");
    }

    #[test]
    fn a_turn_that_breaks_off_ends_its_feed() {
        let feed = Arc::new(Feed::default());
        drop(Speaker(feed.clone()));
        let start = feed.state().start();
        assert!(matches!(start, Some(Err(TurnError::Internal { .. }))));
    }
}
