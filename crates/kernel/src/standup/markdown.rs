//! A standup's report as people read it.

use std::fmt::Write as _;

use super::report::{Report, TaskLine};

impl Report {
    /// The report as people read it.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# Standup {} ({})\n", self.date, self.timezone);
        let crew = &self.agents;
        let lines = crew.list.iter().map(|it| {
            let limit = it
                .budget_daily
                .map(|limit| format!(" of {limit}"))
                .unwrap_or_default();
            format!(
                "{} ({}, {}): {} in progress, {} done today, {}{limit} USD spent",
                it.name,
                it.rank.as_str(),
                it.status.as_str(),
                it.working,
                it.completed,
                it.spent_today
            )
        });
        let heading = format!(
            "Agents: {}, {} active, {} paused",
            crew.total, crew.active, crew.paused
        );
        section(&mut text, &heading, lines, crew.total);
        let lines = self
            .tasks
            .iter()
            .map(|(state, count)| format!("{}: {count}", state.as_str()));
        section(&mut text, "Tasks", lines, 0);
        section(
            &mut text,
            "Done today",
            self.completed.iter().map(task_line),
            0,
        );
        section(&mut text, "Blocked", self.blocked.iter().map(task_line), 0);
        let lines = self.approvals.iter().map(|it| {
            let level = if it.is_red { "RED" } else { "YELLOW" };
            format!("{} ({level}, {})", it.title, it.requestor)
        });
        section(
            &mut text,
            "Waiting for a decision",
            lines,
            self.pending_approvals,
        );
        let lines = self
            .alerts
            .iter()
            .map(|it| format!("{}: {}", it.severity.as_str(), it.title));
        section(&mut text, "Open alerts", lines, 0);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n## Cost\n\n- today: {} USD\n- last 24 hours: {} USD\n",
            self.spent_today, self.spent_last_day
        );
        text
    }
}

fn task_line(task: &TaskLine) -> String {
    let who = task
        .assignee
        .as_ref()
        .map(|handle| format!(" ({handle})"))
        .unwrap_or_default();
    let why = task
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    format!("{}{who}{why}", task.title)
}

/// A heading with its lines, and how many of `in_all` are not among them; nothing at all where
/// there is no line.
fn section(
    text: &mut String,
    heading: &str,
    lines: impl ExactSizeIterator<Item = String>,
    in_all: u64,
) {
    let unnamed = in_all.saturating_sub(lines.len() as u64);
    if lines.len() == 0 {
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## {heading}\n\n");
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    if unnamed > 0 {
        let _ = writeln!(text, "- and {unnamed} more");
    }
}
