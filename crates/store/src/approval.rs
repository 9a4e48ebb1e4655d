//! Approvals.

use stationmaster_kernel::approval::{Approval, ApprovalFilter, Approvals, Ask, Risk, Status};
use stationmaster_kernel::{
    ApprovalId, Handle as Name, Page, Position, Result, TaskId, TenantId, Timestamp, Tx as _,
};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Param, Row, Select, malformed, params};

const COLUMNS: &str = "SELECT position, id, tenant, requestor, task, title, justification, interface, scope, risk, \
                       status, created_at, decided_at, decided_by, decision_note, expires_at, detail FROM approval";

impl Approvals for Handle<'_> {
    fn approval(&mut self, id: &ApprovalId) -> Result<Option<Approval>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn insert_approval(&mut self, approval: &Approval) -> Result<()> {
        let interface = to_optional_json(approval.interface.as_ref())?;
        let detail = detail_text(approval)?;
        self.execute(
            "INSERT INTO approval (position, id, tenant, requestor, task, title, justification, interface, scope, \
             risk, status, created_at, decided_at, decided_by, decision_note, ask, expires_at, escalate_at, \
             detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
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
                approval.detail.ask.map(Ask::as_str),
                approval.expires_at.map(|at| at.0),
                approval.detail.escalate_at.map(|at| at.0),
                detail.as_ref(),
            ],
        )
        .map(drop)
    }

    fn update_approval(&mut self, approval: &Approval) -> Result<()> {
        let detail = detail_text(approval)?;
        self.execute(
            "UPDATE approval SET status = ?2, decided_at = ?3, decided_by = ?4, decision_note = ?5, expires_at = ?6, \
             escalate_at = ?7, detail = ?8 WHERE id = ?1",
            params![
                approval.id.as_str(),
                approval.status.as_str(),
                approval.decided_at.map(|at| at.0),
                approval.decided_by.as_ref(),
                approval.decision_note.as_ref(),
                approval.expires_at.map(|at| at.0),
                approval.detail.escalate_at.map(|at| at.0),
                detail.as_ref(),
            ],
        )
        .map(drop)
    }

    fn approvals(&mut self, filter: &ApprovalFilter, page: Page) -> Result<Vec<Approval>> {
        let mut select = Select::new(COLUMNS);
        narrow(&mut select, filter, self.now());
        select.page(page);
        self.all(&select, read)
    }

    fn pending_approval_count(&mut self, tenant: &TenantId) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM approval WHERE tenant = ?1 AND status = 'PENDING'",
            params![tenant.as_str()],
        )
    }

    fn approval_board(
        &mut self,
        filter: &ApprovalFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Approval>> {
        let mut select = Select::new(COLUMNS);
        narrow(&mut select, filter, self.now());
        select.push(
            "ORDER BY position DESC LIMIT ? OFFSET ?",
            params![limit, offset],
        );
        self.all(&select, read)
    }

    fn approval_count(&mut self, filter: &ApprovalFilter) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM approval");
        narrow(&mut select, filter, self.now());
        let (sql, params) = select.parts();
        self.number(sql, params)
    }

    fn expired_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE status = 'PENDING' AND expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?",
            params![now.0, limit],
        );
        self.all(&select, read)
    }

    fn overdue_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE status = 'PENDING' AND escalate_at IS NOT NULL AND escalate_at <= ? ORDER BY escalate_at LIMIT ?",
            params![now.0, limit],
        );
        self.all(&select, read)
    }
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a ApprovalFilter, now: Timestamp) {
    select
        .push("WHERE position > 0", &[])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .filter("AND task = ?", filter.task.as_ref().map(TaskId::as_str))
        .filter(
            "AND requestor = ?",
            filter.requestor.as_ref().map(Name::as_str),
        )
        .filter("AND ask = ?", filter.ask.map(Ask::as_str));
    let statuses: Vec<Param<'_>> = filter
        .statuses
        .iter()
        .map(|status| status.as_str().into())
        .collect();
    // A pending one whose time has run out counts as expired before that is written down. What
    // nothing but pending ones are asked for goes by the index.
    match filter.statuses.as_slice() {
        [] => {}
        [Status::Pending] => {
            select.push(
                "AND status = 'PENDING' AND (expires_at IS NULL OR expires_at > ?)",
                params![now.0],
            );
        }
        _ => {
            select.push(
                "AND CASE WHEN status = 'PENDING' AND expires_at <= ? THEN 'EXPIRED' ELSE status END",
                params![now.0],
            );
            select.any_of("IN", &statuses);
        }
    }
}

fn detail_text(approval: &Approval) -> Result<Option<String>> {
    let detail = Some(&approval.detail).filter(|detail| !detail.is_blank());
    to_optional_json(detail)
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
        expires_at: row.optional_int()?.map(Timestamp),
        detail: from_optional_json(row.optional_text()?.as_deref())?.unwrap_or_default(),
    })
}
