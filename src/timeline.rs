//! What the crew does, a line each, as it happens.

use std::fmt::Display;

use stationmaster_access::{Database, Tail};
use stationmaster_kernel::event::{Event, Happening};
use stationmaster_kernel::message::ActorType;
use stationmaster_kernel::run::Status;
use stationmaster_kernel::{EventId, Timestamp};
use stationmaster_runtime::{Observer, TurnEvent, TurnEventKind};
use stationmaster_store::Clock;
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::console;

/// How much of a text a line shows.
const SHOWN: usize = 100;
/// How many turn events may wait to be printed; a slow terminal loses lines, never slows a turn.
pub(crate) const BACKLOG: usize = 1024;

/// Prints the timeline until `stopping`.
pub(crate) async fn show(
    database: Database,
    from: EventId,
    mut turns: mpsc::Receiver<Seen>,
    printer: Printer,
    stopping: CancellationToken,
) {
    let mut tail = Tail::new(&database, None, None, from);
    loop {
        tokio::select! {
            // In this order, so that what led to a change is told before the change.
            biased;
            () = stopping.cancelled() => return,
            Some(seen) = turns.recv() => block_in_place(|| printer.turn(seen.at, &seen.event)),
            event = tail.next() => match event {
                Ok(event) => block_in_place(|| printer.event(&event)),
                Err(error) => {
                    tracing::warn!(code = error.code, "reading the event log failed; trying again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            },
        }
    }
}

/// Sends turns' events to the timeline; what does not fit is lost.
pub(crate) struct Watcher(pub mpsc::Sender<Seen>);

impl Observer for Watcher {
    fn observe(&self, event: TurnEvent) {
        let _ = self.0.try_send(Seen {
            at: Clock::default().now(),
            event,
        });
    }
}

/// A turn's event and when it happened.
pub(crate) struct Seen {
    at: Timestamp,
    event: TurnEvent,
}

/// How lines look.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    pub colours: bool,
    pub zone: jiff::tz::TimeZone,
}

/// What a line is about, for its colour.
#[derive(Clone, Copy)]
enum Tone {
    Quiet,
    Task,
    Person,
    Agent,
    Good,
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Quiet => "2",
            Self::Task => "36",
            Self::Person => "33",
            Self::Agent => "35",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

impl Printer {
    fn event(&self, event: &Event) {
        let at = event.at;
        match &event.what {
            Happening::TaskCreated(task) => {
                let whose = task
                    .assignee
                    .as_ref()
                    .map(|who| format!(" for {who}"))
                    .unwrap_or_default();
                self.line(
                    at,
                    Tone::Task,
                    "task",
                    format_args!("created {:?}{whose}  {}", task.title, task.id),
                );
            }
            Happening::TaskUpdated(task)
            | Happening::TaskTransitioned { task, .. }
            | Happening::TaskAssigned { task, .. } => {
                self.line(
                    at,
                    Tone::Task,
                    "task",
                    format_args!("{:?} is {}", task.title, task.status),
                );
            }
            Happening::MessageCreated(message) => {
                let text = shorten(&message.content);
                match message.actor_type {
                    ActorType::User => {
                        let who = message
                            .actor_id
                            .as_deref()
                            .unwrap_or(message.tenant.as_str());
                        self.line(at, Tone::Person, who, format_args!("said: {text}"));
                    }
                    ActorType::Agent => {
                        let who = message.agent_role.as_deref().unwrap_or("agent");
                        self.line(at, Tone::Good, who, format_args!("replied: {text}"));
                    }
                }
            }
            Happening::DocumentCreated(document) => {
                let who = document
                    .author
                    .as_ref()
                    .map_or("document", |handle| handle.as_str());
                self.line(
                    at,
                    Tone::Task,
                    who,
                    format_args!(
                        "wrote the {} {:?}  {}",
                        document.doc_type, document.title, document.id
                    ),
                );
            }
            Happening::NotificationCreated(it) => {
                self.line(
                    at,
                    Tone::Quiet,
                    it.target.as_str(),
                    format_args!("is to be woken ({})", it.kind.as_str()),
                );
            }
            Happening::NotificationFailed(it) => {
                let why = it.last_error.as_deref().unwrap_or("unknown");
                self.line(
                    at,
                    Tone::Bad,
                    it.target.as_str(),
                    format_args!("was not woken, try {}: {}", it.attempts, shorten(why)),
                );
            }
            Happening::NotificationDead(it) => {
                let why = it.last_error.as_deref().unwrap_or("unknown");
                self.line(
                    at,
                    Tone::Bad,
                    it.target.as_str(),
                    format_args!("will not be woken: {}", shorten(why)),
                );
            }
            Happening::NotificationSuppressed(it) => {
                self.line(
                    at,
                    Tone::Bad,
                    it.target.as_str(),
                    format_args!(
                        "is not woken: agents woke each other {} times in a row",
                        it.hops
                    ),
                );
            }
            Happening::ApprovalCreated(it) => {
                self.line(
                    at,
                    Tone::Person,
                    it.requestor.as_str(),
                    format_args!(
                        "asks for {:?} ({} risk)  {}",
                        it.title,
                        it.risk.as_str(),
                        it.id
                    ),
                );
            }
            Happening::ApprovalUpdated(it) => {
                let verdict = it.status.as_str().to_lowercase();
                self.line(
                    at,
                    Tone::Person,
                    it.decided_by.as_deref().unwrap_or("operator"),
                    format_args!("{verdict} {:?}", it.title),
                );
            }
            Happening::HeartbeatRecorded(it) => {
                self.line(
                    at,
                    Tone::Quiet,
                    it.handle.as_str(),
                    format_args!("is {}", it.health),
                );
            }
            Happening::StandupCreated(it) => {
                self.line(
                    at,
                    Tone::Task,
                    "standup",
                    format_args!("{} for {}", it.date, it.tenant),
                );
            }
            Happening::StandupReported(it) => {
                self.line(
                    at,
                    Tone::Task,
                    "standup",
                    format_args!("{} for {}", it.date, it.tenant),
                );
            }
            Happening::RunEnded(run) if run.status == Status::Completed => {
                let tokens = run.spend.input_tokens + run.spend.output_tokens;
                self.line(
                    at,
                    Tone::Quiet,
                    run.agent.as_str(),
                    format_args!(
                        "done: {tokens} tokens, {}",
                        dollars(run.spend.cost_microusd)
                    ),
                );
            }
            Happening::RunEnded(run) => {
                let why = run.error.as_deref().unwrap_or("unknown");
                self.line(
                    at,
                    Tone::Bad,
                    run.agent.as_str(),
                    format_args!("failed: {}", shorten(why)),
                );
            }
            Happening::RunStarted(run) => {
                self.line(
                    at,
                    Tone::Agent,
                    run.agent.as_str(),
                    format_args!("starts a turn"),
                );
            }
            Happening::AlertRaised(alert) => {
                self.line(
                    at,
                    Tone::Bad,
                    "alert",
                    format_args!("{}: {}", alert.title, shorten(&alert.description)),
                );
            }
            Happening::AgentRegistered(_)
            | Happening::RunUpdated(_)
            | Happening::AgentUpdated(_)
            | Happening::AgentStatusChanged { .. }
            | Happening::AgentTokenIssued(_)
            | Happening::AgentTokenRevoked(_)
            | Happening::ToolCallStarted(_)
            | Happening::ToolCallCompleted(_)
            | Happening::PolicyEvaluated(_)
            | Happening::PolicyViolated(_)
            | Happening::PolicyUpdated { .. }
            | Happening::GrantChanged { .. }
            | Happening::LoopDetected { .. }
            | Happening::BudgetExceeded { .. }
            | Happening::AlertChanged(_)
            | Happening::OperatorModeChanged { .. }
            | Happening::DocumentUpdated(_)
            | Happening::NotificationDelivered(_)
            | Happening::NotificationRead(_)
            | Happening::StandupUpdated(_) => {}
        }
    }

    fn turn(&self, at: Timestamp, event: &TurnEvent) {
        let who = event.agent.role.as_str();
        match &event.kind {
            TurnEventKind::Started { preview, .. } => {
                self.line(
                    at,
                    Tone::Agent,
                    who,
                    format_args!("reads: {}", shorten(preview)),
                );
            }
            TurnEventKind::ModelCalled {
                model,
                input_tokens,
                output_tokens,
                tool_calls,
                took,
                ..
            } => {
                let wants = if *tool_calls > 0 {
                    ", wants a tool"
                } else {
                    ""
                };
                let tokens = input_tokens + output_tokens;
                self.line(
                    at,
                    Tone::Agent,
                    who,
                    format_args!(
                        "thinks with {model}: {tokens} tokens, {} ms{wants}",
                        took.as_millis()
                    ),
                );
            }
            TurnEventKind::ToolCalled {
                name,
                ok,
                summary,
                took,
            } => {
                let tone = if *ok { Tone::Agent } else { Tone::Bad };
                self.line(
                    at,
                    tone,
                    who,
                    format_args!(
                        "uses {name}: {} ({} ms)",
                        shorten(summary),
                        took.as_millis()
                    ),
                );
            }
            // The log tells the rest.
            TurnEventKind::ReplyPosted { .. }
            | TurnEventKind::Replayed { .. }
            | TurnEventKind::Paused { .. }
            | TurnEventKind::Failed { .. } => {}
        }
    }

    fn line(&self, at: Timestamp, tone: Tone, who: &str, what: impl Display) {
        let clock = at
            .to_calendar()
            .to_zoned(self.zone.clone())
            .strftime("%H:%M:%S");
        // Texts come from agents, and the terminal is a person's.
        let (who, what) = (plain(who), plain(&what.to_string()));
        if self.colours {
            let code = tone.code();
            console::line(format_args!(
                "\x1b[2m{clock}\x1b[0m  \x1b[{code}m{who:<12}\x1b[0m  {what}"
            ));
        } else {
            console::line(format_args!("{clock}  {who:<12}  {what}"));
        }
    }
}

/// Free of control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// One line of at most [`SHOWN`] characters, free of control characters: texts come from agents
/// and the terminal is a person's.
fn shorten(text: &str) -> String {
    let mut line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN + 1)
        .collect();
    if line.chars().count() > SHOWN {
        line = line.chars().take(SHOWN - 1).collect();
        line.push('…');
    }
    line
}

fn dollars(microusd: u64) -> String {
    format!("${}.{:06}", microusd / 1_000_000, microusd % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_plain_line() {
        assert_eq!(shorten("a\n  b\u{1b}[31mc"), "a b[31mc");
        assert_eq!(shorten(&"x".repeat(300)).chars().count(), SHOWN);
    }

    #[test]
    fn money_is_told_to_the_micro_dollar() {
        assert_eq!(dollars(1_000_060), "$1.000060");
    }
}
