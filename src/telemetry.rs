//! Sends traces of turns to a collector, where one is named.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use stationmaster_store::Clock;
use stationmaster_telemetry::{Config, Exporter};

use crate::config::Settings;

/// How long the last spans may take to be sent.
pub(crate) const LAST: Duration = Duration::from_secs(3);

/// `None` where no collector is named: nothing is started then.
pub(crate) fn start(settings: &Settings, instance: &str) -> Result<Option<Exporter>> {
    let Some(telemetry) = &settings.telemetry else {
        return Ok(None);
    };
    let clock = settings
        .test_clock
        .clone()
        .map_or_else(Clock::default, Clock::moved_by);
    let config = Config {
        endpoint: telemetry.endpoint.clone(),
        headers: telemetry.headers(),
        service: telemetry.service.clone(),
        version: env!("CARGO_PKG_VERSION"),
        instance: instance.to_owned(),
        content: telemetry.content,
    };
    let clock = std::sync::Arc::new(move || SystemTime::from(clock.now().to_calendar()));
    Exporter::start(&config, clock)
        .context("the traces of turns (OTEL_EXPORTER_OTLP_ENDPOINT)")
        .map(Some)
}
