//! Settings: flags over environment over `stationmaster.toml` over defaults.
//!
//! The environment is read here, once, and handed down as values. Every setting in the file has
//! the name of its environment variable in lower case, so there is one name to know.

mod dispatch;
mod model;
mod secrets;
mod source;
mod telemetry;
mod utilities;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use stationmaster_credentials::Secret;
use stationmaster_runtime::{Machine, SKILLS_BUDGET};
use stationmaster_surfaces::Mcp;
use stationmaster_surfaces::openclaw::Rates;
use stationmaster_utilities::Pace;

pub(crate) use dispatch::{GivenPace, PATIENCE};
pub(crate) use model::ModelSettings;
pub(crate) use secrets::{Secrets, make_private_dir, open_private_file};
use source::Source;
use telemetry::TelemetrySettings;
pub(crate) use utilities::UtilitySettings;

/// What the command line says; it wins over everything else.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub listen: Vec<String>,
    pub seed_ports: bool,
    pub data_dir: Option<PathBuf>,
    pub database: Option<String>,
    pub without: Vec<String>,
    pub test_clock: Option<PathBuf>,
    pub conformance: bool,
}

/// Everything a server needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub data_dir: PathBuf,
    pub listen: Vec<SocketAddr>,
    /// PostgreSQL; `None` is the embedded database.
    pub database: Option<Secret>,
    pub without: Vec<Part>,
    pub test_clock: Option<PathBuf>,
    /// Days that events are kept for readers that resume.
    pub event_days: u32,
    pub log_filter: Option<String>,
    pub no_colour: bool,
    pub model: Option<ModelSettings>,
    pub runtime: RuntimeSettings,
    /// How often agents may ask on the OpenClaw contract's routes.
    pub rates: Rates,
    pub mcp: Mcp,
    /// What skills find here.
    pub machine: Machine,
    /// In which days are counted.
    pub zone: TimeZone,
    /// Of the dispatcher that polls `backend_url`.
    pub pace: Pace,
    /// Where traces of turns are sent; `None`: nowhere.
    pub telemetry: Option<TelemetrySettings>,
    source: Source,
}

/// A part that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Runtime,
    Dispatcher,
    Sessions,
    Web,
}

/// How turns are run.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeSettings {
    pub workspace: PathBuf,
    /// Whether the workspace was named, and not just assumed.
    pub workspace_given: bool,
    pub default_task: Option<String>,
    /// Serve this Mission Control backend instead of the local kernel.
    pub backend_url: Option<String>,
    pub timezone: Option<String>,
    pub time_context: bool,
    pub context_warning_percent: f64,
    pub deadline_seconds: u64,
    pub max_tool_rounds: u32,
    pub max_tokens: u32,
    /// In characters; more of skills than this is a catalog.
    pub skills_budget: usize,
    /// Webhooks that callers name may lead to this machine and its private networks.
    pub webhooks_reach_inside: bool,
}

/// The settings file, in the data directory.
const FILE: &str = "stationmaster.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:3100";
/// The ports of the five systems: Mission Control backend, agent runtime, AIWM, Orchestra.
const SEED_PORTS: [u16; 4] = [8000, 8081, 3305, 8080];

impl Settings {
    pub(crate) fn load(given: Given) -> Result<Self> {
        let environment = Source::environment()?;
        let data_dir = data_dir(given.data_dir, &environment)?;
        let machine = environment.machine();
        let source = environment.over(Source::file(&data_dir.join(FILE))?);
        let listen = listen(
            &given.listen,
            given.seed_ports || source.flag("SEED_PORTS")?,
            &source,
        )?;
        let without = parts(given.without, &source)?;
        if given.test_clock.is_some() && listen.iter().any(|address| !address.ip().is_loopback()) {
            bail!(
                "--test-clock moves the clock for everybody and is refused unless every address is loopback"
            );
        }
        let runtime = runtime(&source, &data_dir)?;
        // A turn has a limit of its own, which must be shorter than its lease.
        let patience = PATIENCE.max(Duration::from_secs(
            runtime.deadline_seconds.saturating_add(30),
        ));
        Ok(Self {
            pace: dispatch::pace(&source, &GivenPace::default(), patience)?,
            listen,
            without,
            database: given
                .database
                .or_else(|| source.text("DATABASE"))
                .as_deref()
                .and_then(Secret::new),
            test_clock: given.test_clock,
            event_days: source.number("EVENT_DAYS", 30)?,
            log_filter: source
                .text("STATIONMASTER_LOG")
                .or_else(|| source.text("RUST_LOG")),
            no_colour: source.text("NO_COLOR").is_some(),
            model: ModelSettings::read(&source)?,
            runtime,
            rates: rates(&source)?,
            machine,
            telemetry: TelemetrySettings::read(&source)?,
            zone: zone(&source)?,
            mcp: Mcp {
                allowed_hosts: source.list("MCP_ALLOWED_HOSTS"),
                conformance: given.conformance,
            },
            data_dir,
            source,
        })
    }

    /// The secrets, generated where they are missing (see [`Secrets`]).
    pub(crate) fn secrets(&self) -> Result<Secrets> {
        Secrets::load(&self.data_dir, &self.source)
    }

    /// Where no model is configured, the built-in one thinks.
    pub(crate) fn think_with_demo_if_nothing_else(&mut self) {
        self.model.get_or_insert_with(ModelSettings::demo);
    }

    /// Writes the annotated settings file where there is none yet.
    pub(crate) fn write_default_file(&self) -> Result<()> {
        let path = self.data_dir.join(FILE);
        if path.exists() {
            return Ok(());
        }
        let mut file = open_private_file(&path)?;
        std::io::Write::write_all(&mut file, include_bytes!("default.toml"))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }
}

fn data_dir(given: Option<PathBuf>, environment: &Source) -> Result<PathBuf> {
    let chosen = given
        .or_else(|| {
            environment
                .text("STATIONMASTER_DATA_DIR")
                .map(PathBuf::from)
        })
        .or_else(|| {
            environment
                .text("XDG_DATA_HOME")
                .map(|home| Path::new(&home).join("stationmaster"))
        })
        .or_else(|| {
            environment
                .text("HOME")
                .map(|home| Path::new(&home).join(".local/share/stationmaster"))
        })
        .context("there is no home directory to keep data in; name one with --data-dir")?;
    std::path::absolute(&chosen)
        .with_context(|| format!("{} is not a usable path", chosen.display()))
}

fn listen(given: &[String], seed_ports: bool, source: &Source) -> Result<Vec<SocketAddr>> {
    let mut wanted = given.to_vec();
    if wanted.is_empty() {
        wanted = source.list("LISTEN");
    }
    if wanted.is_empty() {
        wanted.push(DEFAULT_LISTEN.to_owned());
    }
    let mut addresses = Vec::new();
    for text in wanted {
        addresses.push(address(&text)?);
    }
    let host = addresses
        .first()
        .map_or([127, 0, 0, 1].into(), SocketAddr::ip);
    for name in ["CLASPER_PORT", "WOMBAT_PORT"] {
        if let Some(port) = source.text(name) {
            let port = port
                .parse()
                .with_context(|| format!("{name}={port} is not a port"))?;
            addresses.push(SocketAddr::new(host, port));
        }
    }
    if let Some(text) = source.text("AIWM_HTTP_ADDR") {
        addresses.push(address(&text).context("AIWM_HTTP_ADDR")?);
    }
    if seed_ports {
        addresses.extend(SEED_PORTS.map(|port| SocketAddr::new(host, port)));
    }
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| address.port() == 0 || seen.insert(*address));
    Ok(addresses)
}

/// `HOST:PORT`, `:PORT` (loopback) or `PORT`.
fn address(text: &str) -> Result<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::new([127, 0, 0, 1].into(), port));
    }
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse()
        .with_context(|| format!("{text:?} is not an address such as 127.0.0.1:3100"))
}

fn parts(given: Vec<String>, source: &Source) -> Result<Vec<Part>> {
    let named = if given.is_empty() {
        source.list("WITHOUT")
    } else {
        given
    };
    named
        .iter()
        .map(|name| match name.as_str() {
            "runtime" => Ok(Part::Runtime),
            "dispatcher" => Ok(Part::Dispatcher),
            "sessions" => Ok(Part::Sessions),
            "web" => Ok(Part::Web),
            other => bail!(
                "there is no part {other:?} to leave out: use runtime, dispatcher, sessions or web"
            ),
        })
        .collect()
}

fn runtime(source: &Source, data_dir: &Path) -> Result<RuntimeSettings> {
    let workspace = source.seed("WORKSPACE").map(PathBuf::from);
    Ok(RuntimeSettings {
        workspace_given: workspace.is_some(),
        workspace: workspace.unwrap_or_else(|| {
            let here = PathBuf::from("workspace");
            if here.is_dir() {
                here
            } else {
                data_dir.join("workspace")
            }
        }),
        default_task: source.seed("DEFAULT_TASK"),
        backend_url: source.text("BACKEND_URL"),
        timezone: source.seed("DEFAULT_TIMEZONE"),
        time_context: source.seed("INCLUDE_TIME_CONTEXT").as_deref() != Some("false"),
        context_warning_percent: source.seed_number("CONTEXT_WARNING_THRESHOLD", 75.0)?,
        deadline_seconds: source.seed_number("TURN_DEADLINE_SECONDS", 120)?,
        max_tool_rounds: source.seed_number("MAX_TOOL_ROUNDS", 8)?,
        max_tokens: source.seed_number("MAX_TOKENS_PER_CALL", 4096)?,
        skills_budget: source.seed_number("SKILLS_BUDGET", SKILLS_BUDGET)?,
        webhooks_reach_inside: source.seed_flag("WEBHOOK_PRIVATE_TARGETS")?,
    })
}

/// Requests a minute of one agent; 0 is no limit.
fn rates(source: &Source) -> Result<Rates> {
    let usual = Rates::default();
    Ok(Rates {
        writes: source.number("MC_RATE_WRITES", usual.writes)?,
        events: source.number("MC_RATE_EVENTS", usual.events)?,
        policy: source.number("MC_RATE_POLICY", usual.policy)?,
        reads: source.number("MC_RATE_READS", usual.reads)?,
        heartbeats: source.number("MC_RATE_HEARTBEATS", usual.heartbeats)?,
    })
}

/// The zone in which budgets' and standups' days are counted.
fn zone(source: &Source) -> Result<TimeZone> {
    match source.text("MC_TIMEZONE") {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(&name).with_context(|| {
            format!("MC_TIMEZONE={name} is not the IANA name of a time zone, such as Europe/Berlin")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotated_file_says_nothing_until_a_line_is_uncommented() {
        let text = include_str!("default.toml");
        assert!(text.parse::<toml::Table>().unwrap().is_empty());
        let is_setting = |line: &&str| {
            let name = line
                .strip_prefix("# ")
                .and_then(|rest| rest.split(" = ").next());
            name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        };
        let uncommented: String = text
            .lines()
            .filter(is_setting)
            .map(|line| format!("{}\n", &line[2..]))
            .collect();
        let table: toml::Table = uncommented.parse().unwrap();
        assert!(table.len() > 20, "{table:?}");
    }

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, expected) in [
            ("3100", "127.0.0.1:3100"),
            (":8000", "127.0.0.1:8000"),
            ("localhost:1", "127.0.0.1:1"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:3100", "[::1]:3100"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), expected);
        }
        for text in ["", "host", "host:1", "1.2.3.4", "127.0.0.1:99999"] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }
}
