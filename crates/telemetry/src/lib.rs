//! Turns as OpenTelemetry traces, sent to a collector over OTLP/HTTP.
//!
//! A turn is a span `invoke_agent <role>`, with a child `chat <model>` for each call of a model and
//! `execute_tool <name>` for each call of a tool, named and attributed as OpenTelemetry's conventions for
//! generative AI say. A turn that stopped and went on is one such span each time, in one trace. What was said
//! is part of them only where the configuration says so.
//!
//! What must stay true: this is the only crate that knows OpenTelemetry; a turn never waits for a collector,
//! and whatever does not reach one is counted.

mod attributes;
mod content;
mod ids;
mod queue;
mod turn;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use reqwest::redirect::Policy;
use stationmaster_runtime::Tracer;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use queue::Queue;
use turn::Turns;

/// For one batch, tries again included.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Where traces go, and what they say.
#[derive(Clone)]
pub struct Config {
    /// The whole URL that traces are posted to.
    pub endpoint: String,
    /// Sent along, and secret: collectors take their keys there.
    pub headers: HashMap<String, String>,
    /// What this program is called.
    pub service: String,
    pub version: &'static str,
    /// Which of several instances this is.
    pub instance: String,
    /// Whether spans hold what was said.
    pub content: bool,
}

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "no TLS implementation is installed; the program must install one before it makes a client"
    )]
    NoTls,
    #[error("the HTTP client for traces could not be made: {0}")]
    Client(String),
    #[error("traces cannot be sent there: {0}")]
    Exporter(String),
}

/// Sends traces until it is stopped.
pub struct Exporter {
    turns: Arc<Turns>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Exporter {
    /// Starts the task that sends; it needs a tokio runtime. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StartError`], for settings that cannot work. A collector that is not there is no error.
    pub fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let exporter = exporter(config)?;
        let (queue, spans) = Queue::new();
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(queue::drain(spans, exporter, stopping.clone()));
        tasks.close();
        let turns = Turns::new(queue, clock, config.content, config.version);
        Ok(Self {
            turns: Arc::new(turns),
            tasks,
            stopping,
        })
    }

    /// What turns are told to.
    #[must_use]
    pub fn tracer(&self) -> Arc<dyn Tracer> {
        self.turns.clone()
    }

    /// Sends what waits, and stops. What is not sent within this time is lost.
    pub async fn stop(self, within: Duration) {
        self.stopping.cancel();
        if timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!("the collector of traces did not take the last ones in time");
        }
    }
}

fn exporter(config: &Config) -> Result<SpanExporter, StartError> {
    // reqwest panics when it finds none.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(StartError::NoTls);
    }
    let client = reqwest::Client::builder()
        .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        // A redirect would take what was said, and the collector's key, to another host.
        .redirect(Policy::none())
        .build()
        .map_err(|error| StartError::Client(error.without_url().to_string()))?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(&config.endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_headers(config.headers.clone())
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| StartError::Exporter(error.to_string()))?;
    let resource = Resource::builder_empty()
        .with_service_name(config.service.clone())
        .with_attributes([
            KeyValue::new("service.version", config.version),
            KeyValue::new("service.instance.id", config.instance.clone()),
        ])
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// Gives the metrics their help texts. Call once, after the recorder is installed.
pub fn describe_metrics() {
    metrics::describe_counter!(
        queue::SPANS,
        "Spans of traces by what became of them: sent, failed or dropped"
    );
}
