//! Webhooks and what they were told.

use stationmaster_kernel::webhook::{Delivery, Status, Webhook, Webhooks};
use stationmaster_kernel::{DeliveryId, Result, Timestamp, WebhookId};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Row, Select, params};

impl Webhooks for Handle<'_> {
    fn webhook(&mut self, id: &WebhookId) -> Result<Option<Webhook>> {
        self.one(
            "SELECT body FROM webhook WHERE id = ?1",
            params![id.as_str()],
            |mut row| from_json(&row.text()?),
        )
    }

    fn webhooks(&mut self) -> Result<Vec<Webhook>> {
        let select = Select::new("SELECT body FROM webhook ORDER BY id");
        self.all(&select, |mut row| from_json(&row.text()?))
    }

    fn put_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        let body = to_json(webhook)?;
        self.execute(
            "INSERT INTO webhook (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            params![webhook.id.as_str(), &body],
        )
        .map(drop)
    }

    fn drop_webhook(&mut self, id: &WebhookId) -> Result<()> {
        self.execute(
            "DELETE FROM webhook_delivery WHERE webhook = ?1",
            params![id.as_str()],
        )?;
        self.execute("DELETE FROM webhook WHERE id = ?1", params![id.as_str()])
            .map(drop)
    }

    fn delivery(&mut self, id: &DeliveryId) -> Result<Option<Delivery>> {
        self.one(
            "SELECT body FROM webhook_delivery WHERE id = ?1",
            params![id.as_str()],
            read,
        )
    }

    fn put_delivery(&mut self, delivery: &Delivery) -> Result<()> {
        let body = to_json(delivery)?;
        // Until when nobody needs to look at it; what has ended is never looked at again.
        let due = (delivery.status == Status::Pending)
            .then(|| delivery.next_attempt_at.max(delivery.lease.until).0);
        self.execute(
            "INSERT INTO webhook_delivery (position, id, webhook, due_at, created_at, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body",
            params![
                delivery.position.0,
                delivery.id.as_str(),
                delivery.webhook.as_str(),
                due,
                delivery.created_at.0,
                &body,
            ],
        )
        .map(drop)
    }

    fn deliveries(
        &mut self,
        webhook: &WebhookId,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let mut select = Select::new("SELECT body FROM webhook_delivery");
        select.push(
            "WHERE webhook = ? ORDER BY position DESC LIMIT ? OFFSET ?",
            params![webhook.as_str(), limit, offset],
        );
        self.all(&select, read)
    }

    fn due_deliveries(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>> {
        let mut select = Select::new("SELECT body FROM webhook_delivery");
        select.push(
            "WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, position LIMIT ?",
            params![now.0, limit],
        );
        self.all(&select, read)
    }

    fn next_delivery_due(&mut self) -> Result<Option<Timestamp>> {
        let due = self.one(
            "SELECT MIN(due_at) FROM webhook_delivery WHERE due_at IS NOT NULL",
            &[],
            |mut row| row.optional_int(),
        )?;
        Ok(due.flatten().map(Timestamp))
    }

    fn drop_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            "DELETE FROM webhook_delivery WHERE position IN (SELECT position FROM webhook_delivery \
             WHERE due_at IS NULL AND created_at < ?1 ORDER BY position LIMIT ?2)",
            params![before.0, limit],
        )
    }
}

fn read(mut row: Row) -> Result<Delivery> {
    from_json(&row.text()?)
}
