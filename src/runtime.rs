//! Makes the runtime out of the settings: which model thinks, and whose tasks it works on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use secrecy::SecretString;
use stationmaster_access::Database;
use stationmaster_credentials::{Minter, TokenKey};
use stationmaster_dispatch::{Daemon, Delivery, Resumer, Undelivered};
use stationmaster_kernel::RunId;
use stationmaster_kernel::notification::Notification;
use stationmaster_model::{Client, Config as ModelConfig, Prices, Provider, Retry};
use stationmaster_peer::{Peer, PeerConfig};
use stationmaster_runtime::{
    AgentIdentity, Backend, Config, HttpBackend, Journal, KernelLedger, Ledger, LocalBackend,
    Observer, Parts, PostingLedger, Runtime, SendRequest, Tracer, TurnError, Workspace,
};
use stationmaster_store::Clock;
use stationmaster_surfaces::agent_runtime::Hooks;
use stationmaster_utilities::{self as utilities, Outbox, Pace};
use tokio_util::task::TaskTracker;

use crate::config::{ModelSettings, Part, Secrets, Settings};

/// How long the demo model pretends to think: long enough for a person to follow.
const DEMO_LATENCY: Duration = Duration::from_millis(400);
/// The task of notifications that name none.
const INBOX: &str = "Inbox";

/// Everything a runtime is made from beside the settings.
pub(crate) struct Surroundings<'a> {
    pub secrets: &'a Secrets,
    pub database: &'a Database,
    /// Names this instance in leases.
    pub owner: &'a str,
    pub tasks: &'a TaskTracker,
    pub observer: Option<Arc<dyn Observer>>,
    /// Where traces are collected.
    pub tracer: Option<Arc<dyn Tracer>>,
}

/// The model that thinks, as `provider/model`; `None` when none does.
pub(crate) fn model_name(settings: &Settings) -> Option<String> {
    let model = settings
        .model
        .as_ref()
        .filter(|_| settings.has(Part::Runtime))?;
    Some(if model.provider == Provider::Demo {
        "demo".to_owned()
    } else {
        format!("{}/{}", model.provider, model.model)
    })
}

/// A runtime that answers `model_not_configured` where there is no model.
pub(crate) fn build(settings: &Settings, around: &Surroundings<'_>) -> Result<Runtime> {
    let model = settings
        .model
        .as_ref()
        .filter(|_| settings.has(Part::Runtime));
    let (backend, ledger) = backend(settings, around)?;
    let workspace = workspace(settings, &settings.runtime.workspace)?;
    let clock = settings
        .test_clock
        .clone()
        .map_or_else(Clock::default, Clock::moved_by);
    let mut config = Config::new(model.map_or_else(String::new, |model| model.model.clone()));
    if let Some(model) = model {
        config.provider = Some(model.provider.to_string());
        config.models_by_role.clone_from(&model.by_role);
        config.fallback_models.clone_from(&model.fallbacks);
        config.cheap_model.clone_from(&model.cheap);
    }
    config.default_task = settings.runtime.default_task.clone();
    config.deadline = Duration::from_secs(settings.runtime.deadline_seconds);
    config.tool_rounds = settings.runtime.max_tool_rounds;
    config.max_tokens = settings.runtime.max_tokens;
    config.context_warning_percent = settings.runtime.context_warning_percent;
    Ok(Runtime::new(Parts {
        model: match model {
            Some(model) => Some(Arc::new(client(model)?)),
            None => None,
        },
        backend,
        ledger,
        workspace,
        prices: prices(model)?,
        observer: around.observer.clone(),
        tracer: around.tracer.clone(),
        clock: Arc::new(move || clock.now().to_calendar()),
        config,
    }))
}

/// The workspace in this folder, as turns see it.
pub(crate) fn workspace(settings: &Settings, dir: &Path) -> Result<Workspace> {
    let workspace = Workspace::new(dir)
        .with_time(settings.runtime.time_context)
        .with_skills_budget(settings.runtime.skills_budget)
        .on(settings.machine.clone());
    match &settings.runtime.timezone {
        Some(zone) => workspace
            .with_default_timezone(zone)
            .context("DEFAULT_TIMEZONE"),
        None => Ok(workspace),
    }
}

/// A backend's address without the name and password that it may hold.
pub(crate) fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

fn client(settings: &ModelSettings) -> Result<Client> {
    let mut config = ModelConfig::new(settings.provider);
    config.api_key = settings
        .api_key
        .as_ref()
        .map(|key| SecretString::from(key.expose().to_owned()));
    config.base_url = settings.base_url.clone();
    config.default_model = settings.model.clone();
    config.fallback_models.clone_from(&settings.fallbacks);
    config.responses = settings.responses;
    config.retry = Retry {
        attempts: settings.retry_attempts,
        delay: Duration::from_millis(settings.retry_delay_ms),
        max_delay: Duration::from_millis(settings.retry_max_delay_ms),
        jitter: settings.retry_jitter,
    };
    config.stall_timeout = Duration::from_secs(settings.stall_seconds);
    config.demo_latency = DEMO_LATENCY;
    Client::new(config).context("the model cannot be used")
}

fn prices(model: Option<&ModelSettings>) -> Result<Prices> {
    let Some(file) = model.and_then(|model| model.prices_file.as_ref()) else {
        return Ok(Prices::default());
    };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Prices::from_toml(&text).with_context(|| format!("{} is not a price table", file.display()))
}

/// The local kernel, or somebody else's backend (`BACKEND_URL`), where the runtime keeps nothing.
fn backend(
    settings: &Settings,
    around: &Surroundings<'_>,
) -> Result<(Arc<dyn Backend>, Arc<dyn Ledger>)> {
    let Some(url) = &settings.runtime.backend_url else {
        let backend = Arc::new(LocalBackend::new(around.database.clone()));
        let ledger = KernelLedger::new(around.database.clone(), around.owner, around.tasks.clone());
        return Ok((backend, Arc::new(ledger)));
    };
    let minter = Minter::new(TokenKey::new(
        &around.secrets.agent_jwt,
        around.secrets.algorithm,
    ));
    let mint = move |who: &AgentIdentity| minter.mint(who.user_id.as_str(), who.role.as_str());
    let peer = Peer::new(&PeerConfig::new("backend", url)).context("BACKEND_URL")?;
    let backend: Arc<dyn Backend> = Arc::new(HttpBackend::new(peer, mint));
    let ledger = PostingLedger::new(backend.clone(), Journal::default());
    Ok((backend, Arc::new(ledger)))
}

/// Wakes agents by running their turns in this process.
pub(crate) struct LocalDaemon {
    pub runtime: Runtime,
    pub has_default_task: bool,
    /// Tells those who asked for turns that had to wait.
    pub hooks: Hooks,
}

impl LocalDaemon {
    /// Runs the turn that a notification asks for, under the notification's id as its key.
    async fn wake(&self, id: &str, mut request: SendRequest) -> Result<(), TurnError> {
        let kind = "mc.notification".into();
        request.metadata.insert("type".to_owned(), kind);
        let key = "notification_id".to_owned();
        request.metadata.insert(key, id.into());
        if request.task_id.is_none() && !self.has_default_task {
            request.task_title = Some(INBOX.to_owned());
        }
        self.runtime.send(request).await.map(drop)
    }
}

#[async_trait]
impl Daemon for LocalDaemon {
    async fn deliver(&self, notification: &Notification) -> Delivery {
        let request = SendRequest {
            user_id: notification.tenant.to_string(),
            session_key: Some(notification.session_key()),
            message: notification.content.clone(),
            task_id: notification.task.as_ref().map(ToString::to_string),
            metadata: notification.metadata.clone().unwrap_or_default(),
            ..SendRequest::default()
        };
        let woken = self.wake(notification.id.as_str(), request).await;
        woken.map_err(|error| Undelivered {
            retryable: may_work_later(&error),
            retry_after: error.retry_after(),
            error: error.to_string(),
        })
    }
}

#[async_trait]
impl Resumer for LocalDaemon {
    async fn resume(&self, run: &RunId) {
        let resumed = self.runtime.resume(run.as_str()).await;
        self.hooks
            .resumed(run.as_str(), self.runtime.now(), &resumed);
        // Whatever goes wrong is told by the run itself, and in the log.
        if let Err(error) = resumed {
            tracing::debug!(%run, code = error.code(), "a turn that was taken up has failed");
        }
    }
}

#[async_trait]
impl utilities::Daemon for LocalDaemon {
    async fn deliver(&self, it: &utilities::Delivery) -> Result<(), utilities::Undelivered> {
        let request = SendRequest {
            user_id: it.user_id.clone(),
            session_key: Some(it.session_key.clone()),
            message: it.content.clone(),
            task_id: it.task_id.clone(),
            metadata: it.metadata.clone(),
            ..SendRequest::default()
        };
        let woken = self.wake(&it.notification_id, request).await;
        woken.map_err(|error| utilities::Undelivered {
            retryable: may_work_later(&error),
            retry_after: error.retry_after(),
            error: error.to_string(),
            unreachable: false,
        })
    }

    async fn is_there(&self) -> bool {
        true
    }
}

/// A dispatcher that polls another backend and runs its turns in this process (rulings 29).
pub(crate) fn poll(
    url: &str,
    secrets: &Secrets,
    daemon: LocalDaemon,
    pace: Pace,
) -> Result<utilities::Dispatcher> {
    let peer = Peer::new(&PeerConfig::new("backend", url)).context("BACKEND_URL")?;
    let outbox = Outbox::new(peer, secrets.internal_token.clone());
    Ok(utilities::Dispatcher::new(outbox, Arc::new(daemon), pace))
}

fn may_work_later(error: &TurnError) -> bool {
    match error {
        TurnError::BackendUnavailable { .. }
        | TurnError::OverBudget { .. }
        | TurnError::HeldUp { .. }
        | TurnError::BackendRejectedToken { .. }
        | TurnError::ModelUnavailable { .. }
        | TurnError::RateLimited { .. }
        | TurnError::ModelEmpty { .. }
        // A key or a name that somebody will put right.
        | TurnError::ModelRejected { .. }
        | TurnError::UnknownModel { .. }
        | TurnError::ModelNotConfigured
        | TurnError::Deadline
        | TurnError::Internal { .. } => true,
        TurnError::Invalid { .. }
        | TurnError::NoTask
        | TurnError::TaskNotFound { .. }
        | TurnError::BackendRefused { .. }
        | TurnError::ModelRefused { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("http://h:1/mc", "http://h:1/mc"),
            ("https://user:p@ss@h/x@y", "https://h/x@y"),
            ("http://user@h?a=b@c", "http://h?a=b@c"),
            ("h:1", "h:1"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
