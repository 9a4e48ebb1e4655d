//! Alerts: what an operator should look at, and whether somebody has.

use serde::{Deserialize, Serialize};

use crate::error::Problems;
use crate::event::{self, Happening};
use crate::page::Position;
use crate::text;
use crate::{
    AlertId, Error, Handle, Object, Principal, Result, RunId, TaskId, TenantId, Timestamp, Tx,
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }

    /// The severity of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Open,
    Acknowledged,
    Resolved,
    Ignored,
}

impl Status {
    pub const ALL: [Self; 4] = [
        Self::Open,
        Self::Acknowledged,
        Self::Resolved,
        Self::Ignored,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Resolved => "RESOLVED",
            Self::Ignored => "IGNORED",
        }
    }

    /// The status of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// Something an operator should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: AlertId,
    pub position: Position,
    pub tenant: TenantId,
    pub severity: Severity,
    /// Upper snake case: `BUDGET_EXCEEDED`, `LOOP_DETECTED`, `AGENT_OFFLINE`, …
    pub kind: String,
    pub title: String,
    pub description: String,
    pub agent: Option<Handle>,
    pub task: Option<TaskId>,
    pub run: Option<RunId>,
    pub metadata: Option<Object>,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<Timestamp>,
    #[serde(default)]
    pub acknowledgement_note: Option<String>,
    #[serde(default)]
    pub resolved_by: Option<String>,
    pub resolved_at: Option<Timestamp>,
    pub resolution_note: Option<String>,
}

/// An alert about to be raised.
#[derive(Debug, Clone)]
pub struct NewAlert {
    pub severity: Severity,
    pub kind: &'static str,
    pub title: String,
    pub description: String,
    pub agent: Option<Handle>,
    pub task: Option<TaskId>,
    pub run: Option<RunId>,
    pub metadata: Option<Object>,
}

/// Which alerts a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    pub agent: Option<Handle>,
}

/// Where alerts are kept.
pub trait Alerts {
    /// # Errors
    /// Whatever the store meets.
    fn alert(&mut self, id: &AlertId) -> Result<Option<Alert>>;

    /// Writes a new alert or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_alert(&mut self, alert: &Alert) -> Result<()>;

    /// Newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn alerts(&mut self, filter: &AlertFilter, offset: u32, limit: u32) -> Result<Vec<Alert>>;

    /// # Errors
    /// Whatever the store meets.
    fn alert_count(&mut self, filter: &AlertFilter) -> Result<u64>;
}

/// Raises an alert and tells the operator. Whoever causes it, it is the installation that speaks.
///
/// # Errors
/// Whatever the store meets.
pub fn raise(tx: &mut dyn Tx, who: &Principal, tenant: &TenantId, new: NewAlert) -> Result<Alert> {
    let alert = Alert {
        id: AlertId::new(tx.mint(AlertId::PREFIX)),
        position: tx.next_position()?,
        tenant: tenant.clone(),
        severity: new.severity,
        kind: new.kind.to_owned(),
        title: new.title,
        description: new.description,
        agent: new.agent,
        task: new.task,
        run: new.run,
        metadata: new.metadata,
        status: Status::Open,
        created_at: tx.now(),
        updated_at: tx.now(),
        acknowledged_by: None,
        acknowledged_at: None,
        acknowledgement_note: None,
        resolved_by: None,
        resolved_at: None,
        resolution_note: None,
    };
    tx.put_alert(&alert)?;
    event::record(tx, who, tenant, Happening::AlertRaised(alert.clone()))?;
    crate::notification::tell(
        tx,
        who,
        tenant,
        crate::notification::Tell {
            target: crate::notification::Target::Operator,
            kind: crate::notification::Type::Alert,
            title: alert.title.clone(),
            body: alert.description.clone(),
            task: alert.task.clone(),
            approval: None,
            message: None,
        },
    )?;
    Ok(alert)
}

/// A page of alerts, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// How many the filter lets through.
    pub total: u64,
    /// Of the same tenant and agent, how many are open, whatever else the filter says.
    pub open: u64,
    /// Of those, how many are critical.
    pub critical: u64,
}

/// The alerts that an operator sees.
///
/// # Errors
/// Forbidden for agents.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: &AlertFilter,
    offset: u32,
    limit: u32,
) -> Result<Listed> {
    who.operate("see alerts")?;
    let open = AlertFilter {
        status: Some(Status::Open),
        severity: None,
        ..filter.clone()
    };
    let critical = AlertFilter {
        severity: Some(Severity::Critical),
        ..open.clone()
    };
    Ok(Listed {
        alerts: tx.alerts(filter, offset, limit)?,
        total: tx.alert_count(filter)?,
        open: tx.alert_count(&open)?,
        critical: tx.alert_count(&critical)?,
    })
}

/// Says that somebody looks after an alert; again is no change.
///
/// # Errors
/// Forbidden for agents; `alert_not_found`; a note that is too long; `already_processed` when it is
/// over.
pub fn acknowledge(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &AlertId,
    note: Option<String>,
) -> Result<Alert> {
    who.operate("acknowledge alerts")?;
    check_note("note", note.as_deref())?;
    let mut alert = get(tx, who, id)?;
    match alert.status {
        Status::Open => {}
        Status::Acknowledged => return Ok(alert),
        Status::Resolved | Status::Ignored => return Err(over(&alert)),
    }
    alert.status = Status::Acknowledged;
    alert.acknowledged_by = Some(who.subject.clone());
    alert.acknowledged_at = Some(tx.now());
    alert.acknowledgement_note = note;
    change(tx, who, alert)
}

/// Says how what an alert is about was put right.
///
/// # Errors
/// Forbidden for agents; `alert_not_found`; a note that is missing or too long;
/// `already_processed` when it is over.
pub fn resolve(tx: &mut dyn Tx, who: &Principal, id: &AlertId, note: String) -> Result<Alert> {
    who.operate("resolve alerts")?;
    check_note("resolutionNote", Some(&note))?;
    let mut alert = get(tx, who, id)?;
    if matches!(alert.status, Status::Resolved | Status::Ignored) {
        return Err(over(&alert));
    }
    alert.status = Status::Resolved;
    alert.resolved_by = Some(who.subject.clone());
    alert.resolved_at = Some(tx.now());
    alert.resolution_note = Some(note);
    change(tx, who, alert)
}

const LONGEST_NOTE: usize = 10_000;

fn check_note(field: &str, note: Option<&str>) -> Result<()> {
    let Some(note) = note else { return Ok(()) };
    let mut problems = Problems::default();
    text::check_present(&mut problems, field, note);
    if note.chars().count() > LONGEST_NOTE {
        problems.add(field, format!("must be at most {LONGEST_NOTE} characters"));
    }
    problems.into_result()
}

fn get(tx: &mut dyn Tx, who: &Principal, id: &AlertId) -> Result<Alert> {
    tx.alert(id)?
        .filter(|alert| who.sees(&alert.tenant))
        .ok_or_else(|| Error::not_found("alert_not_found", "there is no such alert"))
}

fn over(alert: &Alert) -> Error {
    let status = alert.status.as_str();
    Error::conflict(
        "already_processed",
        format!("{} is {status} already", alert.id),
    )
    .with_detail("status", status)
}

fn change(tx: &mut dyn Tx, who: &Principal, mut alert: Alert) -> Result<Alert> {
    alert.updated_at = tx.now();
    tx.put_alert(&alert)?;
    let tenant = alert.tenant.clone();
    event::record(tx, who, &tenant, Happening::AlertChanged(alert.clone()))?;
    Ok(alert)
}
