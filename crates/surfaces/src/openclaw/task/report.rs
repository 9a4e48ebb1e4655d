//! A task's story, to read: what it is, what happened in which order, and what it cost.

use std::fmt::Write as _;

use stationmaster_kernel::approval::ApprovalFilter;
use stationmaster_kernel::message::MessageKind;
use stationmaster_kernel::run::RunFilter;
use stationmaster_kernel::task::Task;
use stationmaster_kernel::{MicroUsd, Result, Timestamp, Tx};

/// How much of each kind is told at most.
const MOST: u32 = 200;

/// Markdown: the task, its timeline, its cost.
pub(super) fn write(tx: &mut dyn Tx, task: &Task) -> Result<String> {
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for step in tx.transitions(&task.id)? {
        let reason = step.reason.map(|it| format!(": {it}")).unwrap_or_default();
        let line = format!(
            "**{} → {}** by {}{reason}",
            step.from.as_str(),
            step.to.as_str(),
            step.actor
        );
        lines.push((step.at, line));
    }
    for message in tx.thread(&task.id, None, None, MOST)? {
        let kind = message.detail.kind.unwrap_or(MessageKind::Comment).as_str();
        let who = message.detail.author_name.clone();
        let who = who
            .or_else(|| message.agent_role.clone())
            .unwrap_or_default();
        let said = message.content.lines().next().unwrap_or_default();
        lines.push((message.created_at, format!("{kind} by {who}: {said}")));
    }
    let runs = RunFilter {
        task: Some(task.id.clone()),
        ..RunFilter::default()
    };
    for run in tx.runs(&runs, 0, MOST)? {
        let cost = MicroUsd(run.spend.cost_microusd);
        let line = format!(
            "run of {} with {}: {}, ${cost}",
            run.agent,
            run.model,
            run.status.as_str()
        );
        lines.push((run.started_at, line));
    }
    for call in tx.tool_calls_of_task(&task.id, MOST)? {
        let line = format!(
            "{} called {}: {}",
            call.agent,
            call.tool,
            call.status.as_str()
        );
        lines.push((call.started_at, line));
    }
    let approvals = ApprovalFilter {
        task: Some(task.id.clone()),
        ..ApprovalFilter::default()
    };
    for approval in tx.approval_board(&approvals, 0, MOST)? {
        let line = format!("{} asked for {:?}", approval.requestor, approval.title);
        lines.push((approval.created_at, line));
        if let Some(at) = approval.decided_at {
            let by = approval.decided_by.unwrap_or_default();
            let line = format!(
                "{:?} was {} by {by}",
                approval.title,
                approval.status.as_str()
            );
            lines.push((at, line));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    Ok(render(task, &lines))
}

fn render(task: &Task, lines: &[(Timestamp, String)]) -> String {
    let kind = task.kind.map_or("no type", |kind| kind.as_str());
    let assignees: Vec<String> = task.assignees().map(ToString::to_string).collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# {}\n", task.title);
    let _ = writeln!(text, "- Task: {}", task.id);
    let _ = writeln!(text, "- Type: {kind}, priority {}", task.priority);
    let _ = writeln!(text, "- Status: {}", task.state.as_str());
    let _ = writeln!(
        text,
        "- Assignees: {}",
        if assignees.is_empty() {
            "nobody".to_owned()
        } else {
            assignees.join(", ")
        }
    );
    let detail = &task.detail;
    let budget = detail
        .budget
        .map(|it| format!(" of ${it}"))
        .unwrap_or_default();
    let _ = writeln!(
        text,
        "- Cost: ${}{budget} in {} runs",
        detail.actual_cost, detail.run_count
    );
    if let Some(description) = &task.description {
        let _ = writeln!(text, "\n{description}");
    }
    let _ = writeln!(text, "\n## Timeline\n");
    for (at, line) in lines {
        let _ = writeln!(text, "- {at} {line}");
    }
    text
}
