//! Loops: agents that go round in circles are stopped, and somebody is told (OpenClaw contract
//! §9.5). What people say never counts.

use crate::alert::{self, NewAlert, Severity};
use crate::event::{self, Happening};
use crate::message::{self, Message, MessageKind, Post};
use crate::policy;
use crate::state::State;
use crate::task::{Artifact, Task};
use crate::transition::{self, Step};
use crate::{Handle, Principal, Result, Timestamp, Tx};

/// A way of going round in circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopKind {
    CommentFlood,
    ReviewCycles,
    AgentPingPong,
    ToolRetryLoop,
}

impl LoopKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CommentFlood => "COMMENT_FLOOD",
            Self::ReviewCycles => "REVIEW_CYCLES",
            Self::AgentPingPong => "AGENT_PING_PONG",
            Self::ToolRetryLoop => "TOOL_RETRY_LOOP",
        }
    }
}

/// How many messages are looked at, at least and at most.
const LOOKED_AT: u32 = 200;
const MOST_LOOKED_AT: u32 = 2_000;

/// Looks whether too much is said on a task; gives the task as it is then if that blocked it.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn after_message(tx: &mut dyn Tx, who: &Principal, task: &Task) -> Result<Option<Task>> {
    if who.handle().is_none() {
        return Ok(None);
    }
    let limits = policy::settings(tx, &task.tenant, None, Some(task))?.loops;
    let now = tx.now();
    let from = |within| -> Timestamp {
        let since = now.before(within);
        task.detail.loops_from.map_or(since, |from| from.max(since))
    };
    let since = from(limits.comments_within.max(limits.ping_pong_within));
    let most = limits.comments.max(limits.ping_pong);
    let looked_at = most.saturating_mul(2).clamp(LOOKED_AT, MOST_LOOKED_AT);
    let remarks = tx.recent_remarks(&task.id, since, looked_at)?;
    // What agents said themselves, not what the server posts of what they do.
    let of_agents = |since: Timestamp| -> Vec<&Handle> {
        remarks
            .iter()
            .filter(|it| it.at >= since && !it.kind.is_some_and(MessageKind::is_servers_own))
            .filter_map(|it| it.author.as_ref())
            .collect()
    };
    let comments = of_agents(from(limits.comments_within)).len();
    let found = if comments > limits.comments as usize {
        Some((
            LoopKind::CommentFlood,
            format!(
                "{comments} messages of agents within {} min",
                minutes(limits.comments_within)
            ),
        ))
    } else {
        let exchanged = ping_pong(&of_agents(from(limits.ping_pong_within)));
        (exchanged > limits.ping_pong as usize).then(|| {
            (
                LoopKind::AgentPingPong,
                format!(
                    "{exchanged} messages of two agents in turn within {} min",
                    minutes(limits.ping_pong_within)
                ),
            )
        })
    };
    match found {
        // As it is now: the message may have changed nothing of it, but its followers.
        Some((kind, detail)) => match tx.task(&task.id)? {
            Some(task) => block(tx, task, kind, &detail).map(Some),
            None => Ok(None),
        },
        None => Ok(None),
    }
}

fn minutes(span: std::time::Duration) -> u64 {
    span.as_secs() / 60
}

/// How many of the last messages are of two agents in turn.
fn ping_pong(authors: &[&Handle]) -> usize {
    let mut latest = authors.iter().rev();
    let (Some(first), Some(second)) = (latest.next(), latest.next()) else {
        return 0;
    };
    if first == second {
        return 0;
    }
    let turns = [first, second];
    let more = latest
        .enumerate()
        .take_while(|(index, author)| *author == turns[index % 2]);
    2 + more.count()
}

/// Looks whether a task came back from review too often.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn after_review(tx: &mut dyn Tx, task: Task) -> Result<Task> {
    let most = policy::settings(tx, &task.tenant, None, Some(&task))?
        .loops
        .reviews;
    let returned = tx
        .transitions(&task.id)?
        .iter()
        .filter(|step| (step.from, step.to) == (State::Review, State::InProgress))
        .filter(|step| task.detail.loops_from.is_none_or(|from| step.at >= from))
        .count();
    if returned <= most as usize {
        return Ok(task);
    }
    let detail = format!("it came back from review {returned} times");
    block(tx, task, LoopKind::ReviewCycles, &detail)
}

/// Stops a task that goes round in circles: once until somebody lets it go on.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn block(tx: &mut dyn Tx, task: Task, kind: LoopKind, detail: &str) -> Result<Task> {
    let name = kind.as_str();
    // What is blocked already is not blocked again: once until somebody lets it go on.
    if !task.state.may_become(State::Blocked) {
        return Ok(task);
    }
    let system = Principal::system();
    let summary = summary(tx, &task, name, detail)?;
    let step = Step::because(format!("Loop detected: {name}"));
    let (task, _) = transition::shift(tx, &system, task, State::Blocked, step)?;
    let mut post = Post::of(
        MessageKind::Artifact,
        format!("Loop detected: {name}. {detail}."),
    );
    post.artifacts.push(Artifact {
        name: format!("loop-summary-{name}.md"),
        kind: "REPORT".to_owned(),
        content: Some(summary),
        mime_type: Some("text/markdown".to_owned()),
        ..Artifact::default()
    });
    message::write(tx, &system, &task, post)?;
    let tenant = task.tenant.clone();
    let alert = alert::raise(
        tx,
        &system,
        &tenant,
        NewAlert {
            severity: Severity::Warning,
            kind: "LOOP_DETECTED",
            title: format!("{name} on {}", task.title),
            description: format!("{}: {detail}.", task.id),
            agent: task.assignee.clone(),
            task: Some(task.id.clone()),
            run: None,
            metadata: None,
        },
    )?;
    let detected = Happening::LoopDetected {
        task: task.clone(),
        loop_kind: name.to_owned(),
        alert: alert.id,
    };
    event::record(tx, &system, &tenant, detected)?;
    Ok(task)
}

/// How many messages a summary repeats, and how much of each.
const REPEATED: usize = 10;
const REPEATED_CHARACTERS: usize = 160;

/// What an operator wants to know of a loop: what, the way here, who said what and how much, what to do.
fn summary(tx: &mut dyn Tx, task: &Task, name: &str, detail: &str) -> Result<String> {
    use std::fmt::Write as _;
    let mut text = format!(
        "# Loop detected: {name}\n\nTask {} ({}): {detail}.\n",
        task.id, task.title
    );
    let line = |text: &mut String, line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(&mut text, "\n## The last steps\n".to_owned());
    let steps = tx.transitions(&task.id)?;
    for step in steps.iter().rev().take(5).rev() {
        let reason = step.reason.as_deref().unwrap_or("no reason given");
        line(
            &mut text,
            format!(
                "- {} {} → {} by {}: {reason}",
                step.at,
                step.from.as_str(),
                step.to.as_str(),
                step.actor
            ),
        );
    }
    let thread = tx.thread(&task.id, None, None, 50)?;
    line(&mut text, "\n## Who said what\n".to_owned());
    for message in thread.iter().take(REPEATED).rev() {
        let words = message
            .content
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let words: String = words.chars().take(REPEATED_CHARACTERS).collect();
        line(
            &mut text,
            format!("- {} {}: {words}", message.created_at, author(message)),
        );
    }
    line(&mut text, "\n## Who said how much\n".to_owned());
    let mut counts: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for message in &thread {
        *counts.entry(author(message)).or_default() += 1;
    }
    for (who, count) in counts {
        line(
            &mut text,
            format!("- {who}: {count} of the last 50 messages"),
        );
    }
    line(
        &mut text,
        "\n## What to do\n\nRead the thread, settle what it goes round about, and take the task out of BLOCKED.".to_owned(),
    );
    Ok(text)
}

fn author(message: &Message) -> &str {
    let name = message.detail.author_name.as_deref();
    name.or(message.agent_role.as_deref()).unwrap_or("somebody")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_two_agents_in_turn_are_counted_from_the_end() {
        let cases = [
            ("", 0),
            ("a", 0),
            ("aa", 0),
            ("ab", 2),
            ("aabab", 4),
            ("cabab", 4),
            ("ababc", 2),
            ("abba", 2),
        ];
        for (authors, expected) in cases {
            let handles: Vec<Handle> = authors
                .chars()
                .map(|author| author.to_string().parse().unwrap())
                .collect();
            let handles: Vec<&Handle> = handles.iter().collect();
            assert_eq!(ping_pong(&handles), expected, "{authors}");
        }
    }
}
