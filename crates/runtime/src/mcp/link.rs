//! One server: connected when it is first needed, and again when it went away.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use stationmaster_mcp::{Connection, Failure, Given, ServerTool};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::workspace::Server;

/// How long a list of tools is good where the server does not say that it changed.
const FRESH: Duration = Duration::from_secs(60);
/// How long a turn waits for a server to start, or to list its tools, whatever its own limit.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two starts of a server that failed; twice as long after each further failure.
const PAUSE: Duration = Duration::from_secs(3);
/// A server that makes turns wait is left alone for this many times as long as they waited.
const REST: u32 = 6;
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Why a server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Failed(String),
    #[error("it did not answer within {0} s")]
    Slow(u64),
    #[error("{0}; it is tried again in {1} s")]
    Resting(String, u64),
}

#[derive(Debug)]
pub(super) struct Link {
    server: Server,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    /// Why the server is not there, since when, and how often in a row.
    failed: Option<Failed>,
}

#[derive(Debug, Clone)]
struct Live {
    connection: Arc<Connection>,
    tools: Arc<[ServerTool]>,
    listed_at: Instant,
}

#[derive(Debug)]
struct Failed {
    why: String,
    until: Instant,
    pause: Duration,
}

impl Link {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            state: Mutex::default(),
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The server's tools, which takes until `until` at most.
    pub(super) async fn tools(&self, until: Instant) -> Result<Arc<[ServerTool]>, LinkError> {
        let live = self.live(until).await?;
        Ok(live.tools)
    }

    /// Calls a tool by its own name. The caller bounds the time.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<Given, LinkError> {
        let live = self.live(Instant::now() + self.patience()).await?;
        let called = live.connection.call(tool, arguments).await;
        if called.as_ref().is_err_and(Failure::is_lost) {
            self.forget(&live).await;
        }
        called.map_err(|failure| self.failed(&failure))
    }

    fn failed(&self, failure: &Failure) -> LinkError {
        LinkError::Failed(self.server.discreet(&failure.to_string()))
    }

    /// Lets whoever needs the server next connect to it anew.
    async fn forget(&self, lost: &Live) {
        let mut state = self.state.lock().await;
        let is_it = |live: &mut Live| Arc::ptr_eq(&live.connection, &lost.connection);
        state.live.take_if(is_it);
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.server.timeout)
    }

    /// A connection that is open, with tools that are fresh. One caller at a time sees to that.
    async fn live(&self, until: Instant) -> Result<Live, LinkError> {
        let began = Instant::now();
        let until = until.min(began + self.patience());
        let slow = || LinkError::Slow((until - began).as_secs().max(1));
        let mut state = timeout_at(until, self.state.lock())
            .await
            .map_err(|_| slow())?;
        if let Some(live) = state.live.as_ref().filter(|live| live.is_fresh()) {
            return Ok(live.clone());
        }
        state.rests(began)?;
        // Taken out: if whoever waits goes away, or the server fails, the connection goes with it.
        let before = state.live.take();
        let renewed = timeout_at(until, self.renew(before)).await;
        match renewed.unwrap_or_else(|_| Err(slow())) {
            Ok(live) => {
                state.failed = None;
                Ok(state.live.insert(live).clone())
            }
            Err(error) => {
                tracing::warn!(server = self.server.name, %error, "an MCP server is not available");
                state.fail(&error, began.elapsed());
                Err(error)
            }
        }
    }

    async fn renew(&self, before: Option<Live>) -> Result<Live, LinkError> {
        let open = before.filter(|live| live.connection.is_open());
        let listed = async {
            let connection = match open {
                Some(live) => live.connection,
                None => Arc::new(Connection::open(&self.server.reach).await?),
            };
            let tools = connection.tools().await?.into();
            Ok((connection, tools))
        };
        let listed: Result<_, Failure> = listed.await;
        let (connection, tools) = listed.map_err(|failure| self.failed(&failure))?;
        Ok(Live {
            connection,
            tools,
            listed_at: Instant::now(),
        })
    }
}

impl Live {
    fn is_fresh(&self) -> bool {
        let connection = &self.connection;
        connection.is_open() && !connection.has_changed() && self.listed_at.elapsed() < FRESH
    }
}

impl State {
    /// An error while the server is left alone after a failure.
    fn rests(&self, now: Instant) -> Result<(), LinkError> {
        match &self.failed {
            Some(failed) if now < failed.until => {
                let left = failed.until - now;
                Err(LinkError::Resting(failed.why.clone(), left.as_secs() + 1))
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, error: &LinkError, took: Duration) {
        let before = self.failed.as_ref();
        let pause = before.map_or(PAUSE, |failed| 2 * failed.pause);
        let pause = pause.max(REST * took).min(LONGEST_PAUSE);
        self.failed = Some(Failed {
            why: error.to_string(),
            until: Instant::now() + pause,
            pause,
        });
    }
}
