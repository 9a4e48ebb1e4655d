//! Webhooks: somebody outside who is told what happens here.
//!
//! A webhook reads the log from where it stands. What it is to be told becomes a delivery in the
//! transaction that moves its place, so nothing is told twice or forgotten; a delivery is then
//! work that is due, taken under a lease, tried again later and later, and kept as a record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::{self, NewAlert, Severity};
use crate::lease::{Fence, Lease};
use crate::page::Position;
use crate::{DeliveryId, Error, EventId, Principal, Result, TenantId, Timestamp, Tx, WebhookId};

/// How often anything is tried (OpenClaw contract §4).
const TRIES: u32 = 3;
/// How often what an operator must not miss is tried (OpenClaw contract §12).
const URGENT_TRIES: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_secs(30);
/// What an operator must not miss.
const URGENT: [&str; 2] = ["APPROVAL_REQUEST", "ALERT"];
/// More webhooks than this is a mistake.
const MOST: usize = 100;

/// Where to tell what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: WebhookId,
    /// `None`: what happens in every tenant.
    pub tenant: Option<TenantId>,
    pub url: String,
    /// Which kinds, in the words of the surface that shows them; empty means all.
    pub events: Vec<String>,
    /// What deliveries are signed with.
    pub secret: String,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Everything up to here has become a delivery or was not wanted.
    pub place: EventId,
}

impl Webhook {
    /// Whether it is to be told of this kind.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.events.is_empty()
            || self
                .events
                .iter()
                .any(|wanted| wanted == kind || wanted == "*")
    }
}

/// A webhook to make.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub url: String,
    pub events: Vec<String>,
    pub secret: String,
    pub tenant: Option<TenantId>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Pending,
    Delivered,
    Failed,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }
}

/// One thing one webhook is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub position: Position,
    pub webhook: WebhookId,
    pub event: EventId,
    pub kind: String,
    /// What is sent, byte for byte.
    pub body: String,
    pub status: Status,
    pub attempts: u32,
    pub next_attempt_at: Timestamp,
    /// What the other side last answered.
    pub response_status: Option<u16>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    /// The delivery that this one repeats.
    pub replay_of: Option<DeliveryId>,
    pub lease: Lease,
}

/// Where webhooks and their deliveries are kept.
pub trait Webhooks {
    /// # Errors
    /// Whatever the store meets.
    fn webhook(&mut self, id: &WebhookId) -> Result<Option<Webhook>>;

    /// In the order in which they were made.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn webhooks(&mut self) -> Result<Vec<Webhook>>;

    /// Writes a new webhook or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_webhook(&mut self, webhook: &Webhook) -> Result<()>;

    /// Drops a webhook and its deliveries.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn drop_webhook(&mut self, id: &WebhookId) -> Result<()>;

    /// # Errors
    /// Whatever the store meets.
    fn delivery(&mut self, id: &DeliveryId) -> Result<Option<Delivery>>;

    /// Writes a new delivery or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_delivery(&mut self, delivery: &Delivery) -> Result<()>;

    /// Of one webhook, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn deliveries(&mut self, webhook: &WebhookId, offset: u32, limit: u32)
    -> Result<Vec<Delivery>>;

    /// What is due and not leased, longest due first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_deliveries(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>>;

    /// When the next delivery falls due or its lease ends.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn next_delivery_due(&mut self) -> Result<Option<Timestamp>>;

    /// Drops at most `limit` deliveries that ended before `before`; gives how many went.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn drop_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Makes a webhook; it is told what happens from now on.
///
/// # Errors
/// Every problem of the request; forbidden for agents.
pub fn create(tx: &mut dyn Tx, who: &Principal, new: NewWebhook) -> Result<Webhook> {
    who.operate("have webhooks")?;
    if tx.webhooks()?.len() >= MOST {
        return Err(Error::invalid(
            "url",
            format!("there are {MOST} webhooks already"),
        ));
    }
    let webhook = Webhook {
        id: WebhookId::new(tx.mint(WebhookId::PREFIX)),
        tenant: new.tenant,
        url: new.url,
        events: new.events,
        secret: new.secret,
        created_by: who.subject.clone(),
        created_at: tx.now(),
        place: tx.newest_event()?,
    };
    tx.put_webhook(&webhook)?;
    Ok(webhook)
}

/// The webhook of this id.
///
/// # Errors
/// `webhook_not_found`; forbidden for agents.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &WebhookId) -> Result<Webhook> {
    who.operate("have webhooks")?;
    tx.webhook(id)?
        .ok_or_else(|| Error::not_found("webhook_not_found", "there is no such webhook"))
}

/// Every webhook.
///
/// # Errors
/// Forbidden for agents.
pub fn list(tx: &mut dyn Tx, who: &Principal) -> Result<Vec<Webhook>> {
    who.operate("have webhooks")?;
    tx.webhooks()
}

/// Drops a webhook; nothing more is told.
///
/// # Errors
/// As [`get`].
pub fn remove(tx: &mut dyn Tx, who: &Principal, id: &WebhookId) -> Result<Webhook> {
    let webhook = get(tx, who, id)?;
    tx.drop_webhook(id)?;
    Ok(webhook)
}

/// What a webhook was told, newest first.
///
/// # Errors
/// As [`get`].
pub fn deliveries(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &WebhookId,
    offset: u32,
    limit: u32,
) -> Result<Vec<Delivery>> {
    get(tx, who, id)?;
    tx.deliveries(id, offset, limit)
}

/// Tells a webhook something once more.
///
/// # Errors
/// As [`get`]; `delivery_not_found`.
pub fn replay(
    tx: &mut dyn Tx,
    who: &Principal,
    webhook: &WebhookId,
    id: &DeliveryId,
) -> Result<Delivery> {
    get(tx, who, webhook)?;
    let old = tx
        .delivery(id)?
        .filter(|delivery| delivery.webhook == *webhook)
        .ok_or_else(|| Error::not_found("delivery_not_found", "there is no such delivery"))?;
    let delivery = Delivery {
        id: DeliveryId::new(tx.mint(DeliveryId::PREFIX)),
        position: tx.next_position()?,
        status: Status::Pending,
        attempts: 0,
        next_attempt_at: tx.now(),
        response_status: None,
        last_error: None,
        created_at: tx.now(),
        delivered_at: None,
        replay_of: Some(old.id.clone()),
        lease: Lease::free(),
        ..old
    };
    tx.put_delivery(&delivery)?;
    Ok(delivery)
}

/// Something a webhook is to be told.
#[derive(Debug, Clone)]
pub struct News {
    pub event: EventId,
    pub kind: String,
    pub body: String,
}

/// Makes deliveries of what a webhook is to be told and moves its place.
///
/// # Errors
/// Whatever the store meets.
pub fn enqueue(
    tx: &mut dyn Tx,
    mut webhook: Webhook,
    news: Vec<News>,
    place: EventId,
) -> Result<()> {
    for item in news {
        let delivery = Delivery {
            id: DeliveryId::new(tx.mint(DeliveryId::PREFIX)),
            position: tx.next_position()?,
            webhook: webhook.id.clone(),
            event: item.event,
            kind: item.kind,
            body: item.body,
            status: Status::Pending,
            attempts: 0,
            next_attempt_at: tx.now(),
            response_status: None,
            last_error: None,
            created_at: tx.now(),
            delivered_at: None,
            replay_of: None,
            lease: Lease::free(),
        };
        tx.put_delivery(&delivery)?;
    }
    webhook.place = place;
    tx.put_webhook(&webhook)
}

/// Takes what is due for `owner`.
///
/// # Errors
/// Whatever the store meets.
pub fn take_due(
    tx: &mut dyn Tx,
    owner: &str,
    limit: u32,
    length: Duration,
) -> Result<Vec<(Webhook, Delivery)>> {
    let now = tx.now();
    let mut taken = Vec::new();
    for mut delivery in tx.due_deliveries(now, limit)? {
        let Some(webhook) = tx.webhook(&delivery.webhook)? else {
            continue;
        };
        delivery.lease.take(owner, now, length);
        tx.put_delivery(&delivery)?;
        taken.push((webhook, delivery));
    }
    Ok(taken)
}

/// How a try went.
#[derive(Debug, Clone)]
pub struct Try {
    pub response_status: Option<u16>,
    /// `None`: it was taken.
    pub error: Option<String>,
}

/// Records a try: delivered, due again later, or given up. What an operator must not miss raises
/// an alert when it is given up.
///
/// # Errors
/// `lease_lost`.
pub fn settle(tx: &mut dyn Tx, id: &DeliveryId, fence: Fence, outcome: &Try) -> Result<()> {
    let Some(mut delivery) = tx.delivery(id)? else {
        // The webhook was removed meanwhile.
        return Ok(());
    };
    delivery.lease.check(fence)?;
    delivery.attempts += 1;
    delivery.response_status = outcome.response_status;
    delivery.last_error.clone_from(&outcome.error);
    delivery.lease.release();
    let is_urgent = URGENT.contains(&delivery.kind.as_str());
    let tries = if is_urgent { URGENT_TRIES } else { TRIES };
    if outcome.error.is_none() {
        delivery.status = Status::Delivered;
        delivery.delivered_at = Some(tx.now());
    } else if delivery.attempts >= tries {
        delivery.status = Status::Failed;
    } else {
        let wait = FIRST_DELAY.saturating_mul(1 << (delivery.attempts - 1).min(10));
        delivery.next_attempt_at = tx.now().after(wait);
    }
    tx.put_delivery(&delivery)?;
    if delivery.status == Status::Failed && is_urgent {
        give_up(tx, &delivery)?;
    }
    Ok(())
}

fn give_up(tx: &mut dyn Tx, delivery: &Delivery) -> Result<()> {
    let Some(webhook) = tx.webhook(&delivery.webhook)? else {
        return Ok(());
    };
    let tenant = match webhook.tenant {
        Some(tenant) => tenant,
        None => "default".parse()?,
    };
    alert::raise(
        tx,
        &Principal::system(),
        &tenant,
        NewAlert {
            severity: Severity::Warning,
            kind: "DELIVERY_FAILED",
            title: format!(
                "Webhook {} could not be told of {}",
                webhook.id, delivery.kind
            ),
            description: delivery.last_error.clone().unwrap_or_default(),
            agent: None,
            task: None,
            run: None,
            metadata: None,
        },
    )
    .map(drop)
}
