//! Commands that go on: `--watch`.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

/// A program that goes on until the test ends.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Going {
    fn start(mc: &Mc, line: &[&str]) -> (Self, impl Iterator<Item = String>) {
        let mut child = mc.command(line).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        (Self(child), out.lines().map(Result::unwrap))
    }
}

fn entry(number: u32, agent: &str) -> Value {
    json!({"id": format!("act_{number}"), "action": "TASK_CREATED", "actorId": agent, "agentId": agent,
        "description": format!("entry {number}"), "createdAt": "2026-11-21T12:00:00Z"})
}

fn frame(number: u32, agent: &str) -> String {
    format!(
        "id: act_{number}\nevent: TASK_CREATED\ndata: {}\n\n",
        entry(number, agent)
    )
}

#[test]
fn the_timeline_goes_on_without_a_gap_when_the_stream_breaks() {
    let opened = AtomicU32::new(0);
    let stub = Stub::start(move |seen| {
        if seen.path.starts_with("/events/timeline") {
            return Answer::ok(
                json!({"activities": [entry(3, "jordan"), entry(2, "jordan")], "hasMore": false}),
            );
        }
        let frames = match opened.fetch_add(1, Ordering::Relaxed) {
            0 => format!(": hello\n\n{}{}", frame(4, "jordan"), frame(5, "casey")),
            _ => frame(6, "jordan"),
        };
        Answer::raw(200, frames).header("content-type", "text/event-stream")
    });
    let mc = Mc::new(&stub);
    let (_going, lines) = Going::start(
        &mc,
        &[
            "timeline", "--watch", "--task", "task_1", "--about", "jordan", "-q",
        ],
    );
    let shown: Vec<String> = lines.take(4).collect();
    assert_eq!(shown, ["act_2", "act_3", "act_4", "act_6"]);
    let streams: Vec<_> = stub
        .seen()
        .into_iter()
        .filter(|seen| seen.path.starts_with("/events/stream"))
        .collect();
    assert_eq!(streams[0].path, "/events/stream?taskId=task_1");
    assert_eq!(streams[0].header("last-event-id"), Some("act_3"));
    assert_eq!(
        streams[1].header("last-event-id"),
        Some("act_5"),
        "also what is not shown moves it on"
    );
}

#[test]
fn a_watched_list_is_shown_when_it_changes_and_outlives_a_fault() {
    let asked = AtomicU32::new(0);
    let stub = Stub::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Answer::ok(json!({"tasks": [{"id": "task_1"}]})),
        2..5 => Answer::raw(502, ""),
        _ => Answer::ok(json!({"tasks": [{"id": "task_2"}]})),
    });
    let mc = Mc::new(&stub);
    let (_going, lines) = Going::start(&mc, &["task", "list", "--watch", "--every", "2s", "-q"]);
    let shown: Vec<String> = lines.take(2).collect();
    assert_eq!(shown, ["task_1", "task_2"]);
}

#[test]
fn a_watch_ends_when_it_is_refused() {
    let stub = Stub::saying(Answer::refusal(403, "AGENT_MISMATCH", json!({})));
    Mc::new(&stub).run(&["heartbeat", "--watch"]).ended(4);
    Mc::new(&stub).run(&["task", "list", "--watch"]).ended(4);
    Mc::new(&stub).run(&["timeline", "--watch"]).ended(4);
}
