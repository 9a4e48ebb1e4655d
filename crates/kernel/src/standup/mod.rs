//! Standups: a tenant's day so far, kept as a document; one for each local date. A look at its crew
//! is [`report`](mod@report).

mod markdown;
mod report;

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use report::{AlertLine, ApprovalLine, Crew, Member, Report, TaskLine, report, settle_due};

use crate::agent;
use crate::document::Document;
use crate::event::{self, Happening};
use crate::state::State;
use crate::task::{Flow, Task, TaskCounts, TaskFilter};
use crate::{
    DocumentId, Error, Object, Page, Principal, Result, Right, TaskId, TenantId, Timestamp, Tx,
};

/// The title of the task that standups belong to.
pub const TASK_TITLE: &str = "Daily Standup";
/// The type of the document a standup is kept as.
pub const DOC_TYPE: &str = "standup";
/// How many tasks a section of the text names at most.
const NAMED: u32 = 20;

/// What happened in a day, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All tasks, by where they stand.
    pub tasks: TaskCounts,
    /// Tasks changed since local midnight.
    pub tasks_changed: u64,
    pub messages: u64,
    pub documents: u64,
    /// Approvals that wait for a decision.
    pub open_approvals: u64,
}

/// One day of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standup {
    pub tenant: TenantId,
    /// The local date, `2026-11-21`.
    pub date: String,
    pub timezone: String,
    pub task: TaskId,
    pub document: DocumentId,
    /// Markdown.
    pub content: String,
    pub counts: Counts,
}

/// Where it is remembered which document is a day's standup.
pub trait Standups {
    /// The document of the standup of that date.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn standup_document(&mut self, tenant: &TenantId, date: &str) -> Result<Option<DocumentId>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_standup(
        &mut self,
        tenant: &TenantId,
        date: &str,
        document: &DocumentId,
    ) -> Result<()>;

    /// The report kept on the morning of that date.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn standup_report(&mut self, tenant: &TenantId, date: &str) -> Result<Option<Report>>;

    /// Keeps the report of its tenant and date.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_standup_report(&mut self, report: &Report) -> Result<()>;

    /// Whether every tenant's report of that date has been kept.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn are_standups_kept(&mut self, date: &str) -> Result<bool>;

    /// # Errors
    /// Whatever the store meets.
    fn mark_standups_kept(&mut self, date: &str) -> Result<()>;
}

/// The zone of this IANA name; `UTC` when none is given.
///
/// # Errors
/// When no such zone is known.
pub fn zone(name: Option<&str>) -> Result<(String, TimeZone)> {
    let name = name.unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| {
        Error::invalid(
            "timezone",
            format!("{name:?} is not the IANA name of a time zone"),
        )
    })?;
    Ok((name.to_owned(), zone))
}

/// Midnight at the start of the local day of `now`.
///
/// # Errors
/// Only at the ends of the calendar.
pub fn midnight(now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    let start = now
        .to_calendar()
        .to_zoned(zone.clone())
        .start_of_day()
        .map_err(Error::internal)?;
    Ok(Timestamp(start.timestamp().as_millisecond()))
}

/// Sums up the caller's day so far and keeps it; again on the same date brings it up to date.
///
/// # Errors
/// An unknown zone; a caller that is bound to no tenant.
pub fn hold(tx: &mut dyn Tx, who: &Principal, timezone: Option<&str>) -> Result<Standup> {
    who.require(Right::Work)?;
    let (timezone, zone) = zone(timezone)?;
    let tenant = agent::ensure_caller(tx, who)?;
    let date = tx
        .now()
        .to_calendar()
        .to_zoned(zone.clone())
        .date()
        .to_string();
    let since = midnight(tx.now(), &zone)?;
    let day = Day::read(tx, &tenant, since)?;
    let content = day.to_markdown(&date, &timezone);
    let known = match tx.standup_document(&tenant, &date)? {
        Some(id) => tx.document(&id)?,
        None => None,
    };
    let is_new = known.is_none();
    let document = match known {
        Some(document) => rewrite(tx, who, document, content)?,
        None => write(tx, who, &tenant, &date, content)?,
    };
    let standup = Standup {
        tenant: tenant.clone(),
        date,
        timezone,
        task: document.task,
        document: document.id,
        content: document.content,
        counts: day.counts,
    };
    let what = if is_new {
        Happening::StandupCreated
    } else {
        Happening::StandupUpdated
    };
    event::record(tx, who, &tenant, what(standup.clone()))?;
    Ok(standup)
}

/// Tenants in which something happened since local midnight, past `after`.
///
/// # Errors
/// An unknown zone; forbidden for agents.
pub fn active_tenants(
    tx: &mut dyn Tx,
    who: &Principal,
    timezone: Option<&str>,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<TenantId>> {
    who.require(Right::SummariseAll)?;
    let (_, zone) = zone(timezone)?;
    let since = midnight(tx.now(), &zone)?;
    tx.active_tenants(since, after, limit)
}

fn rewrite(
    tx: &mut dyn Tx,
    who: &Principal,
    mut document: Document,
    content: String,
) -> Result<Document> {
    document.content = content;
    document.updated_at = tx.now();
    tx.update_document(&document)?;
    event::record(
        tx,
        who,
        &document.tenant,
        Happening::DocumentUpdated(document.clone()),
    )?;
    Ok(document)
}

fn write(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    date: &str,
    content: String,
) -> Result<Document> {
    let task = standup_task(tx, who, tenant)?;
    let document = Document {
        id: DocumentId::new(tx.mint(DocumentId::PREFIX)),
        position: tx.next_position()?,
        tenant: tenant.clone(),
        task: task.id,
        title: format!("Standup {date}"),
        content,
        doc_type: DOC_TYPE.to_owned(),
        author: who.handle().cloned(),
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    tx.insert_document(&document)?;
    tx.insert_standup(tenant, date, &document.id)?;
    event::record(
        tx,
        who,
        tenant,
        Happening::DocumentCreated(document.clone()),
    )?;
    Ok(document)
}

fn standup_task(tx: &mut dyn Tx, who: &Principal, tenant: &TenantId) -> Result<Task> {
    let filter = TaskFilter {
        title: Some(TASK_TITLE.to_owned()),
        ..TaskFilter::default()
    };
    if let Some(task) = tx
        .tasks(tenant, &filter, Page::first(1))?
        .into_iter()
        .next()
    {
        return Ok(task);
    }
    let mut metadata = Object::new();
    metadata.insert("type".to_owned(), "standup".into());
    let task = Task {
        id: TaskId::new(tx.mint(TaskId::PREFIX)),
        position: tx.next_position()?,
        tenant: tenant.clone(),
        flow: Flow::Free,
        title: TASK_TITLE.to_owned(),
        description: Some(
            "The daily summaries of this tenant, one document for each day.".to_owned(),
        ),
        state: State::InProgress,
        status: State::InProgress.word().to_owned(),
        metadata: Some(metadata),
        assignee: None,
        creator: who.handle().cloned(),
        created_at: tx.now(),
        updated_at: tx.now(),
        kind: None,
        priority: crate::task::NORMAL,
        reviewer: None,
        parent: None,
        due_at: None,
        detail: Box::default(),
    };
    tx.insert_task(&task)?;
    event::record(tx, who, tenant, Happening::TaskCreated(task.clone()))?;
    Ok(task)
}

/// What a standup tells.
struct Day {
    counts: Counts,
    changed: Vec<Task>,
    blocked: Vec<Task>,
}

impl Day {
    fn read(tx: &mut dyn Tx, tenant: &TenantId, since: Timestamp) -> Result<Self> {
        Ok(Self {
            counts: Counts {
                tasks: tx.task_counts(tenant)?,
                tasks_changed: tx.tasks_changed_count(tenant, since)?,
                messages: tx.message_count(tenant, since)?,
                documents: tx.document_count(tenant, since)?,
                open_approvals: tx.pending_approval_count(tenant)?,
            },
            changed: tx.tasks_changed_since(tenant, since, NAMED)?,
            blocked: tx.tasks_in_state(tenant, State::Blocked, NAMED)?,
        })
    }

    fn to_markdown(&self, date: &str, timezone: &str) -> String {
        let Counts {
            tasks,
            tasks_changed,
            messages,
            documents,
            open_approvals,
        } = self.counts;
        let mut text = format!("# Standup {date} ({timezone})\n\n## Tasks\n\n");
        for (word, count) in [
            ("pending", tasks.pending),
            ("in progress", tasks.in_progress),
            ("blocked", tasks.blocked),
            ("completed", tasks.completed),
            ("cancelled", tasks.cancelled),
        ] {
            line(&mut text, format_args!("{word}: {count}"));
        }
        section(&mut text, "Changed today", &self.changed, tasks_changed);
        section(&mut text, "Blocked", &self.blocked, tasks.blocked);
        text.push_str("\n## Activity today\n\n");
        line(&mut text, format_args!("messages: {messages}"));
        line(&mut text, format_args!("documents: {documents}"));
        line(
            &mut text,
            format_args!("requests that wait for a decision: {open_approvals}"),
        );
        text
    }
}

fn section(text: &mut String, heading: &str, tasks: &[Task], in_all: u64) {
    if tasks.is_empty() {
        return;
    }
    line_break(text, heading);
    for task in tasks {
        let who = task
            .agent()
            .map(|handle| format!(", {handle}"))
            .unwrap_or_default();
        line(text, format_args!("{} ({}{who})", task.title, task.status));
    }
    let unnamed = in_all.saturating_sub(tasks.len() as u64);
    if unnamed > 0 {
        line(text, format_args!("and {unnamed} more"));
    }
}

fn line_break(text: &mut String, heading: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## {heading}\n\n");
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "- {content}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_is_the_zones_own() {
        let now = Timestamp(
            "2026-11-21T02:30:00Z"
                .parse::<jiff::Timestamp>()
                .unwrap()
                .as_millisecond(),
        );
        let at = |name| {
            midnight(now, &zone(Some(name)).unwrap().1)
                .unwrap()
                .to_string()
        };
        assert_eq!(at("UTC"), "2026-11-21T00:00:00.000Z");
        assert_eq!(at("America/New_York"), "2026-11-20T05:00:00.000Z");
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let error = zone(Some("Mars/Olympus")).unwrap_err();
        assert_eq!(error.problems[0].field, "timezone");
    }
}
