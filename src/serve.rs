//! Puts the parts together, runs them, and stops them in order.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use stationmaster_access::Database;
use stationmaster_credentials::TokenKey;
use stationmaster_dispatch::{Dispatcher, Retention, Settle, TakeUp, Upkeep, Webhooks};
use stationmaster_http::{App, Gate, meter, server};
use stationmaster_kernel::{Store, agent, approval, run, standup};
use stationmaster_peer::{Courier, Reach};
use stationmaster_runtime::Observer;
use stationmaster_store::{Bounds, Clock, PostgresStore, SqliteStore};
use stationmaster_surfaces::agent_runtime::{self, Hooks};
use stationmaster_surfaces::{Surfaces, system};
use stationmaster_telemetry::Exporter;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ModelSettings, Part, Secrets, Settings, make_private_dir, open_private_file};
use crate::console;
use crate::runtime::{self, LocalDaemon, Surroundings};
use crate::signals::StopSignals;
use crate::telemetry;

/// How long parts may take to stop.
const STOP: Duration = Duration::from_secs(20);
/// How often collected measurements are folded.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// What this program calls itself to those it tells.
const AGENT: &str = concat!("stationmaster/", env!("CARGO_PKG_VERSION"));
/// How many turns the built-in dispatcher runs at once.
const PARALLEL_TURNS: usize = 16;

/// What time alone brings about.
const UPKEEP: &[(&str, Settle)] = &[
    ("agents", agent::settle_due),
    ("approvals", approval::settle_due),
    ("runs", run::settle_due),
    ("standups", standup::settle_due),
];

/// What a server that has started knows of itself.
pub(crate) struct Started<'a> {
    pub settings: &'a Settings,
    pub secrets: &'a Secrets,
    pub database: &'a Database,
    /// Where it listens, in the order asked for.
    pub addresses: &'a [SocketAddr],
    /// Things that run until the server stops go here.
    pub tasks: &'a TaskTracker,
    pub stopping: &'a CancellationToken,
}

/// Runs a server until it is told to stop. `started` is called once it answers.
pub(crate) fn run(
    settings: &Settings,
    observer: Option<Arc<dyn Observer>>,
    started: impl AsyncFnOnce(&Started<'_>) -> Result<()>,
) -> Result<()> {
    make_private_dir(&settings.data_dir)?;
    // Held until every task is gone: the next server must not begin while this one may still write.
    let mut lock = DirectoryLock::take(&settings.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let outcome = runtime.block_on(serve(settings, &mut lock, observer, started));
    // Whatever blocks a thread now has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(lock);
    outcome
}

async fn serve(
    settings: &Settings,
    lock: &mut DirectoryLock,
    observer: Option<Arc<dyn Observer>>,
    started: impl AsyncFnOnce(&Started<'_>) -> Result<()>,
) -> Result<()> {
    settings.write_default_file()?;
    let (listeners, addresses) = bind(&settings.listen).await?;
    // After what most often fails: what is made now is shown once, by a server that has started.
    let secrets = settings.secrets()?;
    warn_of_short(&secrets);
    lock.tell(&addresses)?;
    let metrics = record_metrics()?;
    let database = open(settings).await?;
    // From here on there is something to stop in order, so from here on nobody just ends us.
    let mut stop = StopSignals::listen()?;

    let stopping = CancellationToken::new();
    let tasks = TaskTracker::new();
    let owner = format!(
        "{}:{}",
        std::process::id(),
        addresses
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    );
    let traces = telemetry::start(settings, &owner)?;
    let runtime = runtime::build(
        settings,
        &Surroundings {
            secrets: &secrets,
            database: &database,
            owner: &owner,
            tasks: &tasks,
            observer,
            tracer: traces.as_ref().map(Exporter::tracer),
        },
    )?;
    let app = App {
        database: database.clone(),
        gate: Arc::new(gate(&secrets, &addresses)),
        version: env!("CARGO_PKG_VERSION"),
        stopping: stopping.clone(),
    };
    let status = system::Status {
        database: if settings.database.is_some() {
            "postgres"
        } else {
            "sqlite"
        },
        model: runtime::model_name(settings),
        dispatcher: dispatches(settings, &secrets),
        fallback_model: settings
            .model
            .as_ref()
            .and_then(ModelSettings::fallbacks_shown),
        default_task: settings.runtime.default_task.clone(),
        backend_url: settings
            .runtime
            .backend_url
            .as_deref()
            .map(runtime::shown_url),
        port: addresses.first().map(SocketAddr::port),
        needs_workspace: settings.runtime.workspace_given,
    };
    let reach = if settings.runtime.webhooks_reach_inside {
        Reach::Anywhere
    } else {
        Reach::Public
    };
    let hooks = Hooks::new(Courier::new(reach, AGENT), tasks.clone());
    if status.dispatcher {
        let daemon = LocalDaemon {
            runtime: runtime.clone(),
            has_default_task: settings.runtime.default_task.is_some(),
            hooks: hooks.clone(),
        };
        match &settings.runtime.backend_url {
            None => {
                let dispatcher = Dispatcher {
                    database: database.clone(),
                    daemon: Arc::new(daemon),
                    owner: owner.clone(),
                    parallel: PARALLEL_TURNS,
                };
                tasks.spawn(dispatcher.run(stopping.clone()));
            }
            Some(url) => {
                let dispatcher = runtime::poll(url, &secrets, daemon, settings.pace.clone())?;
                let stopping = stopping.clone();
                tasks.spawn(dispatcher.run(stopping, |tick| tracing::debug!(?tick)));
            }
        }
    }
    if status.model.is_some() && settings.runtime.backend_url.is_none() {
        let take_up = TakeUp {
            database: database.clone(),
            resumer: Arc::new(LocalDaemon {
                runtime: runtime.clone(),
                has_default_task: settings.runtime.default_task.is_some(),
                hooks: hooks.clone(),
            }),
            parallel: PARALLEL_TURNS,
        };
        tasks.spawn(take_up.run(stopping.clone()));
    }
    tasks.spawn(keep_metrics_small(metrics.clone(), stopping.clone()));
    let (router, _) = stationmaster_surfaces::router(Surfaces {
        app,
        runtime,
        turns: tasks.clone(),
        hooks,
        status,
        metrics: system::Metrics(metrics),
        rates: settings.rates,
        mcp: settings.mcp.clone(),
    });
    let retention = Retention {
        database: database.clone(),
        events: Duration::from_secs(u64::from(settings.event_days) * 86_400),
    };
    tasks.spawn(retention.run(stopping.clone()));
    let upkeep = Upkeep {
        database: database.clone(),
        jobs: UPKEEP.to_vec(),
    };
    tasks.spawn(upkeep.run(stopping.clone()));
    let webhooks = Webhooks {
        database: database.clone(),
        owner,
        render: stationmaster_surfaces::openclaw::news,
        courier: Courier::new(Reach::Anywhere, AGENT),
    };
    tasks.spawn(webhooks.run(stopping.clone()));
    for listener in listeners {
        tasks.spawn(server::serve(listener, router.clone(), stopping.clone()));
    }
    drop(router);
    for address in &addresses {
        console::line(format_args!("stationmaster listens on http://{address}"));
    }
    started(&Started {
        settings,
        secrets: &secrets,
        database: &database,
        addresses: &addresses,
        tasks: &tasks,
        stopping: &stopping,
    })
    .await?;

    stop.wait().await;
    tracing::info!("stopping");
    stopping.cancel();
    tasks.close();
    if tokio::time::timeout(STOP, tasks.wait()).await.is_err() {
        tracing::warn!("some parts did not stop in time");
    }
    // After the turns, whose ends are its last spans.
    if let Some(traces) = traces {
        traces.stop(telemetry::LAST).await;
    }
    Ok(())
}

/// Shows the operator's token when it has just been made, and never again (OpenClaw contract §1.1).
/// It is printed, whoever reads that, and stands in no log.
pub(crate) fn show_new_token(secrets: &Secrets) {
    if secrets.admin_token_is_new {
        console::line(format_args!(
            "admin      {}  (shown once)",
            secrets.admin_token.expose()
        ));
    }
}

/// Says which model thinks, if one does.
pub(crate) fn say_how_it_thinks(started: &Started<'_>) {
    match runtime::model_name(started.settings) {
        Some(model) => console::line(format_args!("agents think with {model}")),
        None => console::line(format_args!(
            "no model is configured, so agents do not think here (set OPENAI_API_KEY, OPENAI_BASE_URL, \
             ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL or LLM_PROVIDER=demo)"
        )),
    }
}

/// Notifications are dispatched here when agents think here: this kernel's own, or those of
/// another backend whose internal token was given (rulings 29).
fn dispatches(settings: &Settings, secrets: &Secrets) -> bool {
    settings.has(Part::Dispatcher)
        && runtime::model_name(settings).is_some()
        && (settings.runtime.backend_url.is_none() || secrets.internal_token_is_given)
}

fn gate(secrets: &Secrets, addresses: &[SocketAddr]) -> Gate {
    Gate {
        agent_key: TokenKey::new(&secrets.agent_jwt, secrets.algorithm),
        admin_key: secrets
            .admin_jwt
            .as_ref()
            .map(|secret| TokenKey::new(secret, secrets.algorithm)),
        require_expiry: false,
        admin_token: Some(secrets.admin_token.clone()),
        internal_token: Some(secrets.internal_token.clone()),
        daemon_key: secrets.daemon_key.clone(),
        loopback_only: addresses.iter().all(|address| address.ip().is_loopback()),
    }
}

fn warn_of_short(secrets: &Secrets) {
    for (name, secret) in [
        ("AGENT_JWT_SECRET", &secrets.agent_jwt),
        ("INTERNAL_API_TOKEN", &secrets.internal_token),
    ] {
        if secret.is_short() {
            tracing::warn!("{name} is shorter than 32 bytes and easy to guess; use a longer one");
        }
    }
}

/// Opens the store on a thread of its own: it waits for disks and servers.
async fn open(settings: &Settings) -> Result<Database> {
    let clock = settings
        .test_clock
        .clone()
        .map_or_else(Clock::default, Clock::moved_by)
        .in_zone(settings.zone.clone());
    let url = settings.database.clone();
    let file = settings.data_dir.join("stationmaster.db");
    let opened = tokio::task::spawn_blocking(move || -> Result<Arc<dyn Store>> {
        Ok(match url {
            Some(url) => Arc::new(PostgresStore::open(url.expose(), Bounds::default(), clock)?),
            None => {
                // Made here so that it is private from its first moment; SQLite's other files
                // take its permissions.
                drop(open_private_file(&file)?);
                Arc::new(SqliteStore::open(&file, Bounds::default(), &clock)?)
            }
        })
    });
    Ok(Database::new(opened.await.context("opening the store")??))
}

async fn bind(addresses: &[SocketAddr]) -> Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("{address} cannot be listened on; is something else using the port?")
        })?;
        bound.push(
            listener
                .local_addr()
                .context("reading the address listened on")?,
        );
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

fn record_metrics() -> Result<PrometheusHandle> {
    let seconds = [
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        30.0, 60.0,
    ];
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &sizes)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .context("starting the metrics")?;
    meter::describe_metrics();
    stationmaster_store::describe_metrics();
    stationmaster_dispatch::describe_metrics();
    stationmaster_runtime::describe_metrics();
    agent_runtime::describe_metrics();
    stationmaster_telemetry::describe_metrics();
    Ok(handle)
}

/// Folds what histograms have collected, which otherwise waits in memory until somebody reads it.
async fn keep_metrics_small(metrics: PrometheusHandle, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(METRICS_UPKEEP) => metrics.run_upkeep(),
            () = stopping.cancelled() => return,
        }
    }
}

/// One server a data directory. The operating system lets go of the lock however the holder ends.
struct DirectoryLock(File);

impl DirectoryLock {
    fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("stationmaster.lock");
        let mut file = open_private_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.rewind()
                    .and_then(|()| file.read_to_string(&mut holder))
                    .unwrap_or_default();
                let holder = holder.trim();
                let holder = if holder.is_empty() {
                    "another stationmaster"
                } else {
                    holder
                };
                bail!(
                    "{} is in use by {holder}; stop it or choose another --data-dir",
                    directory.display()
                )
            }
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// Leaves word of who holds the lock, for whoever comes next.
    fn tell(&mut self, addresses: &[SocketAddr]) -> Result<()> {
        let urls: Vec<String> = addresses
            .iter()
            .map(|address| format!("http://{address}"))
            .collect();
        let text = format!(
            "stationmaster, process {}, on {}\n",
            std::process::id(),
            urls.join(" ")
        );
        self.0
            .set_len(0)
            .and_then(|()| self.0.write_all(text.as_bytes()))
            .context("writing the lock file")
    }
}
