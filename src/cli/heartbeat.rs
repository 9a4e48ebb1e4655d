//! `stationmaster heartbeat`

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use stationmaster_peer::{Peer, PeerConfig};
use stationmaster_runtime::MAX_FILE_CHARS;
use stationmaster_utilities::{Turn, heartbeat, run_turn};

use super::options::UtilityOptions;
use crate::config::{PATIENCE, UtilitySettings};
use crate::console;

/// The task of heartbeats, where none is configured.
const TASK: &str = "Heartbeat";

/// Tells a Mission Control backend that an agent is there.
#[derive(Debug, Args)]
pub(super) struct Heartbeat {
    /// Whose agent it is [env: USER_ID]
    #[arg(long, value_name = "USER")]
    user_id: Option<String>,
    #[command(flatten)]
    utility: UtilityOptions,
    /// Also have the daemon run a turn that asks what HEARTBEAT.md of the workspace says
    #[arg(long)]
    run: bool,
    /// The daemon, for --run [env: AGENT_DAEMON_URL] [default: http://localhost:8081]
    #[arg(long, value_name = "URL")]
    daemon_url: Option<String>,
}

impl Heartbeat {
    pub(super) fn run(self) -> Result<()> {
        let settings = self.utility.settings()?;
        let user_id = settings
            .user_id(self.user_id)
            .context("a heartbeat is some user's agent's: set USER_ID or give --user-id")?;
        let role = settings.agent_role(self.utility.role.clone());
        let token = settings.minter()?.mint(&user_id, &role)?;
        let backend = self.utility.backend(&settings)?;
        let wake = if self.run {
            Some((
                read_heartbeat(&settings.workspace())?,
                daemon(&settings, self.daemon_url)?,
            ))
        } else {
            None
        };
        super::options::wait_for(async {
            let answer = heartbeat(&backend, &token, &user_id)
                .await
                .with_context(|| format!("the heartbeat failed at {}", backend.address()))?;
            console::line(format_args!("{answer}"));
            if let Some((message, daemon)) = &wake {
                let turn = Turn {
                    user_id: &user_id,
                    role: &role,
                    message,
                    task_title: &settings.default_task().unwrap_or_else(|| TASK.to_owned()),
                    kind: "heartbeat",
                };
                let answer = run_turn(daemon, settings.daemon_key().as_ref(), turn)
                    .await
                    .with_context(|| {
                        format!("the heartbeat's turn failed at {}", daemon.address())
                    })?;
                console::line(format_args!("{answer}"));
            }
            console::line(format_args!("heartbeat_ok"));
            Ok(())
        })
    }
}

fn daemon(settings: &UtilitySettings, given: Option<String>) -> Result<Peer> {
    Peer::new(&PeerConfig {
        timeout: PATIENCE,
        ..PeerConfig::new("daemon", settings.daemon_url(given))
    })
    .context("AGENT_DAEMON_URL")
}

/// What an agent is asked at its heartbeat; cut as every file of a workspace.
fn read_heartbeat(workspace: &Path) -> Result<String> {
    let path: PathBuf = workspace.join("HEARTBEAT.md");
    let context = || {
        format!(
            "{} cannot be read; the workspace is named by STATIONMASTER_WORKSPACE, CLASPER_WORKSPACE or \
             WOMBAT_WORKSPACE",
            path.display()
        )
    };
    // No character is longer than four bytes.
    let limit = 4 * MAX_FILE_CHARS as u64;
    let mut bytes = Vec::new();
    File::open(&path)
        .with_context(context)?
        .take(limit)
        .read_to_end(&mut bytes)
        .with_context(context)?;
    let text: String = String::from_utf8_lossy(&bytes)
        .trim()
        .chars()
        .take(MAX_FILE_CHARS)
        .collect();
    if text.is_empty() {
        bail!("{} is empty: there is nothing to ask", path.display());
    }
    Ok(text)
}
