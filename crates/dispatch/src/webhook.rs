//! Tells webhooks what happens: reads the log for them, and sends what is due.
//!
//! A delivery is signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`), and once more over the body alone for receivers that only know that.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, redirect};
use ring::hmac;
use stationmaster_access::Database;
use stationmaster_kernel::event::{Event, EventQuery};
use stationmaster_kernel::webhook::{self, Delivery, News, Try, Webhook};
use stationmaster_kernel::{Result, Timestamp, Tx};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a secret in the form of Standard Webhooks begins with.
pub(crate) const SECRET_PREFIX: &str = "whsec_";
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
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
    pub sender: Sender,
}

/// Sends deliveries. It follows no redirect, so a delivery goes where an operator sent it and
/// nowhere else. Its client is set up with the first delivery: that reads the system's
/// certificates, which a server without webhooks does not need.
#[derive(Debug, Clone, Default)]
pub struct Sender(Arc<OnceLock<Client>>);

impl Sender {
    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(self.0.get_or_init(|| client))
    }
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
            let (database, sender) = (self.database.clone(), self.sender.clone());
            tries.spawn(async move { see_through(&database, &sender, &hook, delivery).await });
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

async fn see_through(database: &Database, sender: &Sender, hook: &Webhook, delivery: Delivery) {
    let outcome = send(database, sender, hook, &delivery).await;
    let (id, fence) = (delivery.id.clone(), delivery.lease.fence);
    let settled = database
        .write(move |tx: &mut dyn Tx| webhook::settle(tx, &id, fence, &outcome))
        .await;
    if let Err(error) = settled {
        // The lease runs out and it is sent again under the same id.
        tracing::warn!(delivery = %delivery.id, code = error.code, "settling a delivery failed");
    }
}

async fn send(database: &Database, sender: &Sender, hook: &Webhook, delivery: &Delivery) -> Try {
    let failed = |error: String| Try {
        response_status: None,
        error: Some(error),
    };
    let now = match database.read(|tx| Ok(tx.now())).await {
        Ok(now) => now,
        Err(error) => return failed(error.message),
    };
    let client = match sender.client() {
        Ok(client) => client,
        Err(error) => return failed(format!("TLS could not be set up: {error}")),
    };
    let timestamp = now.0.div_euclid(1000).to_string();
    let key = signing_key(&hook.secret);
    let signed = format!("{}.{timestamp}.{}", delivery.id, delivery.body);
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let plain_key = hmac::Key::new(hmac::HMAC_SHA256, hook.secret.as_bytes());
    let plain = hex::encode(hmac::sign(&plain_key, delivery.body.as_bytes()));
    let answer = client
        .post(&hook.url)
        .header("content-type", "application/json")
        .header("webhook-id", delivery.id.as_str())
        .header("webhook-timestamp", &timestamp)
        .header("webhook-signature", format!("v1,{signature}"))
        .header("x-webhook-event", &delivery.kind)
        .header("x-webhook-signature", format!("sha256={plain}"))
        .body(delivery.body.clone())
        .send()
        .await;
    match answer {
        // Without its address, which may hold a secret.
        Err(error) => failed(error.without_url().to_string()),
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

/// The key of a secret: `whsec_` and base64, as Standard Webhooks says, or the text itself.
fn signing_key(secret: &str) -> hmac::Key {
    let decoded = secret
        .strip_prefix(SECRET_PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        // Nothing is no key: anybody could sign with it.
        .filter(|key| !key.is_empty());
    let bytes = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(due.0.saturating_sub(now.0).max(50).unsigned_abs()).min(IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_no_base64_is_its_own_key() {
        let signed = |secret: &str| hmac::sign(&signing_key(secret), b"x");
        let with = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"x");
        for (secret, key) in [
            ("whsec_dGVzdA==", &b"test"[..]),
            ("whsec_not base64", b"whsec_not base64"),
            ("whsec_", b"whsec_"),
            ("abc", b"abc"),
        ] {
            assert_eq!(signed(secret).as_ref(), with(key).as_ref(), "{secret}");
        }
    }
}
