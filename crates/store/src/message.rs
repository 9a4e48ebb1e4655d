//! Messages.

use stationmaster_kernel::message::{ActorType, Message, MessageKind, Messages, Remark};
use stationmaster_kernel::{
    Handle as Name, MessageId, Page, Position, Result, TaskId, TenantId, Timestamp,
};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, malformed, params};

const COLUMNS: &str = "SELECT position, id, tenant, task, content, actor_type, actor_id, agent_role, author, \
                       attachments, created_at, detail FROM message";

impl Messages for Handle<'_> {
    fn insert_message(&mut self, message: &Message) -> Result<()> {
        let attachments = to_optional_json(message.attachments.as_ref())?;
        let detail = to_optional_json(Some(&message.detail).filter(|detail| !detail.is_blank()))?;
        self.execute(
            "INSERT INTO message (position, id, tenant, task, content, actor_type, actor_id, agent_role, author, \
             attachments, created_at, kind, has_artifacts, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                message.position.0,
                message.id.as_str(),
                message.tenant.as_str(),
                message.task.as_str(),
                &message.content,
                message.actor_type.as_str(),
                message.actor_id.as_ref(),
                message.agent_role.as_ref(),
                message.author.as_ref().map(Name::as_str),
                attachments.as_ref(),
                message.created_at.0,
                message.detail.kind.map(MessageKind::as_str),
                i64::from(!message.detail.artifacts.is_empty()),
                detail.as_ref(),
            ],
        )
        .map(drop)
    }

    fn message(&mut self, id: &MessageId) -> Result<Option<Message>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn thread(
        &mut self,
        task: &TaskId,
        kind: Option<MessageKind>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE task = ?", params![task.as_str()]);
        match kind {
            // What was posted without a kind is a comment.
            Some(MessageKind::Comment) => {
                select.push("AND (kind = 'COMMENT' OR kind IS NULL)", &[]);
            }
            kind => {
                select.filter("AND kind = ?", kind.map(MessageKind::as_str));
            }
        }
        select
            .filter("AND position < ?", before.map(|position| position.0))
            .push("ORDER BY position DESC LIMIT ?", params![limit]);
        self.all(&select, read)
    }

    fn messages_with_artifacts(&mut self, task: &TaskId, limit: u32) -> Result<Vec<Message>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE task = ? AND has_artifacts = 1 ORDER BY position LIMIT ?",
            params![task.as_str(), limit],
        );
        self.all(&select, read)
    }

    fn recent_remarks(
        &mut self,
        task: &TaskId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Remark>> {
        let rows = self.query(
            "SELECT author, kind, created_at FROM message WHERE task = ?1 AND created_at >= ?2 \
             ORDER BY position DESC LIMIT ?3",
            params![task.as_str(), since.0, limit],
        )?;
        let mut remarks = rows
            .into_iter()
            .map(|mut row| {
                Ok(Remark {
                    author: row.optional_text()?.map(|text| text.parse()).transpose()?,
                    kind: row.optional_text()?.as_deref().and_then(MessageKind::parse),
                    at: Timestamp(row.int()?),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        remarks.reverse();
        Ok(remarks)
    }

    fn messages(
        &mut self,
        tenant: &TenantId,
        task: Option<&TaskId>,
        page: Page,
    ) -> Result<Vec<Message>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE tenant = ?", params![tenant.as_str()])
            .filter("AND task = ?", task.map(TaskId::as_str))
            .page(page);
        self.all(&select, read)
    }

    fn message_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM message WHERE tenant = ?1 AND created_at >= ?2",
            params![tenant.as_str(), since.0],
        )
    }
}

fn read(mut row: Row) -> Result<Message> {
    Ok(Message {
        position: Position(row.int()?),
        id: MessageId::new(row.text()?),
        tenant: row.text()?.parse()?,
        task: TaskId::new(row.text()?),
        content: row.text()?,
        actor_type: ActorType::parse(&row.text()?).ok_or_else(|| malformed("an actor type"))?,
        actor_id: row.optional_text()?,
        agent_role: row.optional_text()?,
        author: row.optional_text()?.map(|text| text.parse()).transpose()?,
        attachments: from_optional_json(row.optional_text()?.as_deref())?,
        created_at: Timestamp(row.int()?),
        detail: from_optional_json(row.optional_text()?.as_deref())?.unwrap_or_default(),
    })
}
