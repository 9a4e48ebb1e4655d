//! `stationmaster dispatcher`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use stationmaster_peer::{Peer, PeerConfig};
use stationmaster_utilities::{Dispatcher as Carrier, HttpDaemon, Outbox, Tick};
use tokio_util::sync::CancellationToken;

use crate::config::{GivenPace, UtilitySettings};
use crate::signals::StopSignals;
use crate::{console, logs};

/// Carries notifications from a Mission Control backend to an agent daemon, until it is told to stop.
///
/// Any backend and any daemon will do. The backend's INTERNAL_API_TOKEN is needed, and the daemon's
/// AGENT_DAEMON_API_KEY where it has one; both come from the environment or a .env file.
#[derive(Debug, Args)]
pub(super) struct Dispatcher {
    /// The backend [env: BACKEND_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL")]
    backend_url: Option<String>,
    /// The daemon [env: AGENT_DAEMON_URL] [default: http://localhost:8081]
    #[arg(long, value_name = "URL")]
    daemon_url: Option<String>,
    /// One tick, and that is all; fails when the backend cannot be asked
    #[arg(long)]
    once: bool,
    /// How many users a tick covers [env: DISPATCH_LIMIT_USERS] [default: 25]
    #[arg(long, value_name = "NUMBER")]
    limit_users: Option<u32>,
    /// How many notifications of each user [env: DISPATCH_LIMIT_NOTIFICATIONS] [default: 25]
    #[arg(long, value_name = "NUMBER")]
    limit_notifications: Option<u32>,
    /// Pause after a tick with something to do [env: DISPATCH_MIN_INTERVAL_SEC] [default: 2]
    #[arg(long, value_name = "SECONDS")]
    min_interval: Option<f64>,
    /// Longest pause; it doubles while there is nothing [env: DISPATCH_MAX_INTERVAL_SEC] [default: 30]
    #[arg(long, value_name = "SECONDS")]
    max_interval: Option<f64>,
    /// How many turns run at once, one a session [env: DISPATCH_PARALLEL] [default: 16]
    #[arg(long, value_name = "NUMBER")]
    parallel: Option<usize>,
    /// How long a turn may take [env: DISPATCH_TIMEOUT_SEC] [default: 150]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Hide what is taken from other dispatchers, 0 for not at all [env: DISPATCH_LEASE_SEC]
    #[arg(long, value_name = "SECONDS")]
    lease: Option<u64>,
    /// Take settings and secrets of the server that keeps its data there
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Dispatcher {
    pub(super) fn run(self) -> Result<()> {
        let settings = UtilitySettings::load(self.data_dir.as_deref())?;
        logs::start(settings.log_filter().as_deref(), "info");
        let token = settings.internal_token().context(
            "the dispatcher needs the backend's internal token: set INTERNAL_API_TOKEN (or INTERNAL_TOKEN) to its \
             value, in the environment or in a .env file, or name the data directory of a server on this machine \
             with --data-dir",
        )?;
        let pace = settings.pace(&GivenPace {
            users: self.limit_users,
            notifications: self.limit_notifications,
            shortest_pause: self.min_interval,
            longest_pause: self.max_interval,
            parallel: self.parallel,
            patience: self.timeout,
            lease: self.lease,
        })?;
        let backend = Peer::new(&PeerConfig::new(
            "backend",
            settings.backend_url(self.backend_url),
        ))
        .context("BACKEND_URL")?;
        let daemon = Peer::new(&PeerConfig {
            timeout: pace.patience,
            ..PeerConfig::new("daemon", settings.daemon_url(self.daemon_url))
        })
        .context("AGENT_DAEMON_URL")?;
        tracing::info!(
            backend = backend.address(),
            daemon = daemon.address(),
            "dispatching"
        );
        let daemon = HttpDaemon::new(daemon, settings.daemon_key(), settings.default_task());
        let carrier = Carrier::new(Outbox::new(backend, token), Arc::new(daemon), pace);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?;
        runtime.block_on(carry(carrier, self.once))
    }
}

async fn carry(carrier: Carrier, once: bool) -> Result<()> {
    let mut signals = StopSignals::listen()?;
    let stopping = CancellationToken::new();
    let work = async {
        if once {
            report(carrier.once(stopping.clone()).await?);
        } else {
            carrier.run(stopping.clone(), report).await;
        }
        Ok(())
    };
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => return ended,
            () = signals.wait() => {
                if stopping.is_cancelled() {
                    // Whoever asks twice does not want to wait; what is cut off is done again later.
                    return Ok(());
                }
                tracing::info!("stopping after what is under way");
                stopping.cancel();
            }
        }
    }
}

fn report(tick: Tick) {
    console::line(format_args!("{}", tick.line()));
}
