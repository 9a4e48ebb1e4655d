//! Messages.

use stationmaster_kernel::message::{ActorType, Message, Messages};
use stationmaster_kernel::{
    Handle as Name, MessageId, Page, Position, Result, TaskId, TenantId, Timestamp,
};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, malformed, params};

impl Messages for Handle<'_> {
    fn insert_message(&mut self, message: &Message) -> Result<()> {
        let attachments = to_optional_json(message.attachments.as_ref())?;
        self.execute(
            "INSERT INTO message (position, id, tenant, task, content, actor_type, actor_id, agent_role, author, \
             attachments, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
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
            ],
        )
        .map(drop)
    }

    fn messages(
        &mut self,
        tenant: &TenantId,
        task: Option<&TaskId>,
        page: Page,
    ) -> Result<Vec<Message>> {
        let mut select = Select::new(
            "SELECT position, id, tenant, task, content, actor_type, actor_id, agent_role, author, attachments, \
             created_at FROM message",
        );
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
    })
}
