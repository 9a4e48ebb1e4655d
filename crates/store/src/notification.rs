//! Notifications and the queue that they are.

use stationmaster_kernel::lease::{Fence, Lease};
use stationmaster_kernel::notification::{
    Notification, NotificationFilter, Notifications, Target, Type,
};
use stationmaster_kernel::{
    ApprovalId, Handle as Name, MessageId, NotificationId, Page, Position, Result, TaskId,
    TenantId, Timestamp,
};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, params};

const COLUMNS: &str = "SELECT position, id, tenant, target, kind, content, task, message, metadata, hops, created_at, \
                       delivered_at, read_at, dead_at, attempts, next_attempt_at, last_error, lease_owner, \
                       lease_until, lease_fence, title, approval, fetched FROM notification";
/// Spelt as the partial indexes spell it, so that both databases use them.
const OPEN: &str = "delivered_at IS NULL AND dead_at IS NULL AND fetched = 0";

impl Notifications for Handle<'_> {
    fn notification(&mut self, id: &NotificationId) -> Result<Option<Notification>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn insert_notification(&mut self, it: &Notification) -> Result<()> {
        let metadata = to_optional_json(it.metadata.as_ref())?;
        self.execute(
            "INSERT INTO notification (position, id, tenant, target, kind, content, task, message, metadata, hops, \
             created_at, delivered_at, read_at, dead_at, attempts, next_attempt_at, last_error, lease_owner, \
             lease_until, lease_fence, title, approval, fetched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
            params![
                it.position.0,
                it.id.as_str(),
                it.tenant.as_str(),
                it.target.as_str(),
                it.kind.as_str(),
                &it.content,
                it.task.as_ref().map(TaskId::as_str),
                it.message.as_ref().map(MessageId::as_str),
                metadata.as_ref(),
                it.hops,
                it.created_at.0,
                it.delivered_at.map(|at| at.0),
                it.read_at.map(|at| at.0),
                it.dead_at.map(|at| at.0),
                it.attempts,
                it.next_attempt_at.0,
                it.last_error.as_ref(),
                it.lease.owner.as_ref(),
                it.lease.until.0,
                it.lease.fence.0,
                it.title.as_ref(),
                it.approval.as_ref().map(ApprovalId::as_str),
                i64::from(it.fetched),
            ],
        )
        .map(drop)
    }

    fn update_notification(&mut self, it: &Notification) -> Result<()> {
        self.execute(
            "UPDATE notification SET delivered_at = ?2, read_at = ?3, dead_at = ?4, attempts = ?5, \
             next_attempt_at = ?6, last_error = ?7, lease_owner = ?8, lease_until = ?9, lease_fence = ?10 \
             WHERE id = ?1",
            params![
                it.id.as_str(),
                it.delivered_at.map(|at| at.0),
                it.read_at.map(|at| at.0),
                it.dead_at.map(|at| at.0),
                it.attempts,
                it.next_attempt_at.0,
                it.last_error.as_ref(),
                it.lease.owner.as_ref(),
                it.lease.until.0,
                it.lease.fence.0,
            ],
        )
        .map(drop)
    }

    fn notifications(
        &mut self,
        tenant: &TenantId,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Vec<Notification>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE tenant = ?", params![tenant.as_str()])
            .filter("AND target = ?", filter.target.as_ref().map(Target::as_str));
        if filter.target.is_none() {
            select.push("AND target <> ?", params![Target::Operator.as_str()]);
        }
        if filter.unread_only {
            select.push("AND read_at IS NULL", &[]);
        }
        select.page(page);
        self.all(&select, read)
    }

    fn notifications_of(
        &mut self,
        tenant: Option<&TenantId>,
        filter: &NotificationFilter,
        limit: u32,
    ) -> Result<Vec<Notification>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE position > 0", &[])
            .filter("AND tenant = ?", tenant.map(TenantId::as_str))
            .filter("AND target = ?", filter.target.as_ref().map(Target::as_str))
            .filter("AND created_at >= ?", filter.since.map(|at| at.0))
            .filter("AND kind = ?", filter.kind.as_ref().map(Type::as_str));
        if filter.unread_only {
            select.push("AND read_at IS NULL", &[]);
        }
        select.push("ORDER BY position DESC LIMIT ?", params![limit]);
        self.all(&select, read)
    }

    fn pending_notification_count(&mut self, tenant: &TenantId, target: &Name) -> Result<u64> {
        let sql = format!(
            "SELECT COUNT(*) FROM notification WHERE tenant = ?1 AND target = ?2 AND read_at IS NULL AND {OPEN}"
        );
        self.number(&sql, params![tenant.as_str(), target.as_str()])
    }

    fn latest_notification(
        &mut self,
        tenant: &TenantId,
        target: &Name,
        task: Option<&TaskId>,
    ) -> Result<Option<Notification>> {
        let mut select = Select::new(COLUMNS);
        select
            .push(
                "WHERE tenant = ? AND target = ?",
                params![tenant.as_str(), target.as_str()],
            )
            .filter("AND task = ?", task.map(TaskId::as_str))
            .push("ORDER BY position DESC LIMIT 1", &[]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn waiting_tenants(&mut self, now: Timestamp, limit: u32) -> Result<Vec<TenantId>> {
        let sql = format!(
            "SELECT tenant FROM notification WHERE {OPEN} AND next_attempt_at <= ?1 AND lease_until <= ?1 \
             GROUP BY tenant ORDER BY MIN(position) LIMIT ?2"
        );
        self.query(&sql, params![now.0, limit])?
            .into_iter()
            .map(|mut row| row.text()?.parse())
            .collect()
    }

    fn due_notifications(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Notification>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE tenant = ? AND", params![tenant.as_str()])
            .push(OPEN, &[])
            .push(
                "AND next_attempt_at <= ? AND lease_until <= ?",
                params![now.0, now.0],
            )
            .push("ORDER BY position LIMIT ?", params![limit]);
        self.all(&select, read)
    }

    fn due_of_idle_agents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Notification>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE", &[])
            .push(OPEN, &[])
            .push("AND next_attempt_at <= ? AND lease_until <= ?", params![now.0, now.0])
            .push(
                "AND NOT EXISTS (SELECT 1 FROM notification busy WHERE busy.tenant = notification.tenant \
                 AND busy.target = notification.target AND busy.delivered_at IS NULL AND busy.dead_at IS NULL \
                 AND busy.fetched = 0 AND busy.lease_until > ?)",
                params![now.0],
            )
            .push("ORDER BY position LIMIT ?", params![limit]);
        self.all(&select, read)
    }

    fn next_notification_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = format!(
            "SELECT MIN(CASE WHEN lease_until > next_attempt_at THEN lease_until ELSE next_attempt_at END) \
             FROM notification WHERE {OPEN} AND (next_attempt_at > ?1 OR lease_until > ?1)"
        );
        let due = self.one(&sql, params![now.0], |mut row| row.optional_int())?;
        Ok(due.flatten().map(Timestamp))
    }
}

fn read(mut row: Row) -> Result<Notification> {
    Ok(Notification {
        position: Position(row.int()?),
        id: NotificationId::new(row.text()?),
        tenant: row.text()?.parse()?,
        target: row.text()?.parse()?,
        kind: Type::named(&row.text()?),
        content: row.text()?,
        task: row.optional_text()?.map(TaskId::new),
        message: row.optional_text()?.map(MessageId::new),
        metadata: from_optional_json(row.optional_text()?.as_deref())?,
        hops: row.count()?,
        created_at: Timestamp(row.int()?),
        delivered_at: row.optional_int()?.map(Timestamp),
        read_at: row.optional_int()?.map(Timestamp),
        dead_at: row.optional_int()?.map(Timestamp),
        attempts: row.count()?,
        next_attempt_at: Timestamp(row.int()?),
        last_error: row.optional_text()?,
        lease: Lease {
            owner: row.optional_text()?,
            until: Timestamp(row.int()?),
            fence: Fence(row.int()?),
        },
        title: row.optional_text()?,
        approval: row.optional_text()?.map(ApprovalId::new),
        fetched: row.int()? != 0,
    })
}
