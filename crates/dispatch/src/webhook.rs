//! Tells webhooks what happens: reads the log for them, and sends what is due.
//!
//! A delivery is signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`), and once more over the body alone for receivers that only know that.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use stationmaster_access::Database;
use stationmaster_kernel::event::{Event, EventQuery};
use stationmaster_kernel::webhook::{self, Delivery, News, Try, Webhook};
use stationmaster_kernel::{Result, Timestamp, Tx};
use stationmaster_peer::{Courier, hex_signature, hook_url, standard_signature};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than a try can take.
const LEASE: Duration = Duration::from_secs(30);
/// How many tries run at once.
const PARALLEL: usize = 8;
/// How many events are looked at for one webhook in one transaction.
const CHUNK: u32 = 200;
/// How long to sleep when nothing is known to fall due.
const IDLE: Duration = Duration::from_secs(5);
/// How much of an answer is kept when it is a refusal.
const KEPT: usize = 300;

/// An event in the words of the surface that shows it: its kind and the body to send; `None` for
/// what is not shown.
pub(crate) type Render = fn(&Event) -> Option<(String, String)>;

/// Tells webhooks what happens.
pub struct Webhooks {
    pub database: Database,
    /// Who takes deliveries, for their leases.
    pub owner: String,
    pub render: Render,
    pub courier: Courier,
}

impl Webhooks {
    /// Works until `stopping`.
    pub async fn run(self, stopping: CancellationToken) {
        let mut commits = self.database.commits();
        let mut tries: JoinSet<()> = JoinSet::new();
        while !stopping.is_cancelled() {
            commits.mark_unchanged();
            let sleep = match self.look(&mut tries).await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::warn!(code = error.code, cause = ?error.cause, "telling webhooks failed; trying again");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                _ = commits.changed() => {}
                Some(_) = tries.join_next() => {}
                () = tokio::time::sleep(sleep) => {}
                () = stopping.cancelled() => {}
            }
            while tries.try_join_next().is_some() {}
        }
        while tries.join_next().await.is_some() {}
    }

    /// Reads the log on and starts what is due; tells how long to sleep.
    async fn look(&self, tries: &mut JoinSet<()>) -> Result<Duration> {
        let (hooks, newest) = self
            .database
            .read(|tx| Ok((tx.webhooks()?, tx.newest_event()?)))
            .await?;
        if hooks.is_empty() {
            return Ok(IDLE);
        }
        for hook in hooks.into_iter().filter(|hook| hook.place < newest) {
            self.read_on(hook).await?;
        }
        let free = PARALLEL.saturating_sub(tries.len());
        let (now, due) = self
            .database
            .read(|tx| Ok((tx.now(), tx.next_delivery_due()?)))
            .await?;
        let Some(due) = due else { return Ok(IDLE) };
        if due > now || free == 0 {
            return Ok(until(now, due));
        }
        let owner = self.owner.clone();
        let limit = u32::try_from(free).unwrap_or(1);
        let taken = self
            .database
            .write(move |tx| webhook::take_due(tx, &owner, limit, LEASE))
            .await?;
        for (hook, delivery) in taken {
            let (database, courier) = (self.database.clone(), self.courier.clone());
            tries.spawn(async move { see_through(&database, &courier, &hook, delivery).await });
        }
        Ok(Duration::from_millis(50))
    }

    /// Makes deliveries of what one webhook has not been told yet.
    async fn read_on(&self, hook: Webhook) -> Result<()> {
        let render = self.render;
        self.database
            .write(move |tx| {
                // Another instance may have been here; the row in this transaction counts.
                let Some(hook) = tx.webhook(&hook.id)? else {
                    return Ok(());
                };
                let query = EventQuery {
                    tenant: hook.tenant.clone(),
                    task: None,
                    after: hook.place,
                    limit: CHUNK,
                };
                let newest = tx.newest_event()?;
                let events = tx.events(&query)?;
                let place = match events.last() {
                    Some(last) if events.len() == CHUNK as usize => last.id,
                    _ => newest,
                };
                let news = events
                    .iter()
                    .filter_map(|event| render(event).map(|shown| (event, shown)))
                    .filter(|(_, (kind, _))| hook.wants(kind))
                    .map(|(event, (kind, body))| News {
                        event: event.id,
                        kind,
                        body,
                    })
                    .collect();
                webhook::enqueue(tx, hook, news, place)
            })
            .await
    }
}

async fn see_through(database: &Database, courier: &Courier, hook: &Webhook, delivery: Delivery) {
    let outcome = send(database, courier, hook, &delivery).await;
    let (id, fence) = (delivery.id.clone(), delivery.lease.fence);
    let settled = database
        .write(move |tx: &mut dyn Tx| webhook::settle(tx, &id, fence, &outcome))
        .await;
    if let Err(error) = settled {
        // The lease runs out and it is sent again under the same id.
        tracing::warn!(delivery = %delivery.id, code = error.code, "settling a delivery failed");
    }
}

async fn send(database: &Database, courier: &Courier, hook: &Webhook, delivery: &Delivery) -> Try {
    let failed = |error: String| Try {
        response_status: None,
        error: Some(error),
    };
    let now = match database.read(|tx| Ok(tx.now())).await {
        Ok(now) => now,
        Err(error) => return failed(error.message),
    };
    let url = match hook_url(&hook.url, courier.reach()) {
        Ok(url) => url,
        Err(error) => return failed(error.to_string()),
    };
    let timestamp = now.0.div_euclid(1000);
    let (id, body) = (delivery.id.as_str(), delivery.body.as_str());
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        (
            "webhook-signature",
            standard_signature(&hook.secret, id, timestamp, body),
        ),
        ("x-webhook-event", delivery.kind.clone()),
        (
            "x-webhook-signature",
            format!("sha256={}", hex_signature(&hook.secret, body)),
        ),
    ] {
        match HeaderValue::try_from(value) {
            Ok(value) => headers.insert(name, value),
            Err(_) => return failed(format!("{name} cannot be sent")),
        };
    }
    let answer = courier.post(url, headers, body.to_owned()).await;
    match answer {
        Err(error) => failed(error.to_string()),
        Ok(answer) if answer.status().is_success() => Try {
            response_status: Some(answer.status().as_u16()),
            error: None,
        },
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            let mut text = Vec::new();
            while let Ok(Some(chunk)) = answer.chunk().await {
                text.extend_from_slice(&chunk);
                if text.len() >= KEPT {
                    break;
                }
            }
            text.truncate(KEPT);
            Try {
                response_status: Some(status),
                error: Some(format!("HTTP {status}: {}", String::from_utf8_lossy(&text))),
            }
        }
    }
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(due.0.saturating_sub(now.0).max(50).unsigned_abs()).min(IDLE)
}
