//! Approvals.

use stationmaster_kernel::approval::{Approval, ApprovalFilter, Approvals, Risk, Status};
use stationmaster_kernel::{ApprovalId, Page, Position, Result, TaskId, TenantId, Timestamp};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Param, Row, Select, malformed, params};

const COLUMNS: &str = "SELECT position, id, tenant, requestor, task, title, justification, interface, scope, risk, \
                       status, created_at, decided_at, decided_by, decision_note FROM approval";

impl Approvals for Handle<'_> {
    fn approval(&mut self, id: &ApprovalId) -> Result<Option<Approval>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn insert_approval(&mut self, approval: &Approval) -> Result<()> {
        let interface = to_optional_json(approval.interface.as_ref())?;
        self.execute(
            "INSERT INTO approval (position, id, tenant, requestor, task, title, justification, interface, scope, \
             risk, status, created_at, decided_at, decided_by, decision_note) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                approval.position.0,
                approval.id.as_str(),
                approval.tenant.as_str(),
                approval.requestor.as_str(),
                approval.task.as_ref().map(TaskId::as_str),
                &approval.title,
                &approval.justification,
                interface.as_ref(),
                approval.scope.as_ref(),
                approval.risk.as_str(),
                approval.status.as_str(),
                approval.created_at.0,
                approval.decided_at.map(|at| at.0),
                approval.decided_by.as_ref(),
                approval.decision_note.as_ref(),
            ],
        )
        .map(drop)
    }

    fn update_approval(&mut self, approval: &Approval) -> Result<()> {
        self.execute(
            "UPDATE approval SET status = ?2, decided_at = ?3, decided_by = ?4, decision_note = ?5 WHERE id = ?1",
            params![
                approval.id.as_str(),
                approval.status.as_str(),
                approval.decided_at.map(|at| at.0),
                approval.decided_by.as_ref(),
                approval.decision_note.as_ref(),
            ],
        )
        .map(drop)
    }

    fn approvals(&mut self, filter: &ApprovalFilter, page: Page) -> Result<Vec<Approval>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE position > 0", &[])
            .filter(
                "AND tenant = ?",
                filter.tenant.as_ref().map(TenantId::as_str),
            )
            .filter("AND task = ?", filter.task.as_ref().map(TaskId::as_str));
        if !filter.statuses.is_empty() {
            let statuses: Vec<Param<'_>> = filter
                .statuses
                .iter()
                .map(|status| status.as_str().into())
                .collect();
            let places = vec!["?"; statuses.len()].join(", ");
            select.push(&format!("AND status IN ({places})"), &statuses);
        }
        select.page(page);
        self.all(&select, read)
    }

    fn pending_approval_count(&mut self, tenant: &TenantId) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM approval WHERE tenant = ?1 AND status = 'PENDING'",
            params![tenant.as_str()],
        )
    }
}

fn read(mut row: Row) -> Result<Approval> {
    Ok(Approval {
        position: Position(row.int()?),
        id: ApprovalId::new(row.text()?),
        tenant: row.text()?.parse()?,
        requestor: row.text()?.parse()?,
        task: row.optional_text()?.map(TaskId::new),
        title: row.text()?,
        justification: row.text()?,
        interface: from_optional_json(row.optional_text()?.as_deref())?,
        scope: row.optional_text()?,
        risk: Risk::parse(&row.text()?).ok_or_else(|| malformed("a risk"))?,
        status: Status::parse(&row.text()?).ok_or_else(|| malformed("a status"))?,
        created_at: Timestamp(row.int()?),
        decided_at: row.optional_int()?.map(Timestamp),
        decided_by: row.optional_text()?,
        decision_note: row.optional_text()?,
    })
}
