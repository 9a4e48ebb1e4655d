//! `stationmaster up`

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use stationmaster_model::Provider;
use tokio::sync::mpsc;

use super::options::ServerOptions;
use crate::config::Settings;
use crate::console;
use crate::serve::{self, Started};
use crate::timeline::{self, Printer, Watcher};
use crate::{logs, welcome};

/// Starts everything and shows what the crew does.
#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    server: ServerOptions,
}

impl Up {
    pub(super) fn run(self) -> Result<()> {
        let mut settings = self.server.settings()?;
        settings.think_with_demo_if_nothing_else();
        logs::start(
            settings.log_filter.as_deref(),
            "warn,stationmaster_runtime=error",
        );
        let (watcher, turns) = mpsc::channel(timeline::BACKLOG);
        serve::run(
            &settings,
            Some(Arc::new(Watcher(watcher))),
            async |started| greet(started, turns).await,
        )
    }
}

async fn greet(started: &Started<'_>, turns: mpsc::Receiver<timeline::Seen>) -> Result<()> {
    let settings = started.settings;
    if !settings.runtime.workspace_given {
        welcome::make_workspace(&settings.runtime.workspace)?;
    }
    let newest = started.database.read(|tx| tx.newest_event()).await?;
    tell_what_to_try(started);
    let printer = Printer {
        colours: console::has_colours(settings.no_colour),
        zone: jiff::tz::TimeZone::system(),
    };
    let showing = timeline::show(
        started.database.clone(),
        newest,
        turns,
        printer,
        started.stopping.clone(),
    );
    started.tasks.spawn(showing);
    // Only the demo model thinks for nothing.
    if thinks_for_free(settings) && newest.0 == 0 {
        welcome::give_first_task(started.database).await?;
    }
    Ok(())
}

fn thinks_for_free(settings: &Settings) -> bool {
    settings
        .model
        .as_ref()
        .is_some_and(|model| model.provider == Provider::Demo)
}

fn tell_what_to_try(started: &Started<'_>) {
    let Started {
        settings,
        secrets,
        addresses,
        ..
    } = started;
    let url = addresses
        .first()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    serve::say_how_it_thinks(started);
    if thinks_for_free(settings) {
        console::line(format_args!(
            "  (a small scripted model; set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)"
        ));
    }
    console::line(format_args!("data       {}", settings.data_dir.display()));
    console::line(format_args!(
        "workspace  {}",
        settings.runtime.workspace.display()
    ));
    console::line(format_args!("API        {url}/api-docs"));
    serve::show_new_token(secrets);
    let key = if secrets.daemon_key.is_some() {
        " -H \"X-Agent-Daemon-Key: $AGENT_DAEMON_API_KEY\""
    } else {
        ""
    };
    console::line(format_args!(
        "\nAsk an agent something, from another terminal:\n"
    ));
    console::line(format_args!(
        "  curl -s {url}/api/agents/send -H 'content-type: application/json'{key} \\"
    ));
    console::line(format_args!(
        "    -d '{{\"user_id\":\"{tenant}\",\"agent_role\":\"writer\",\"task_title\":\"Launch\",\"message\":\"Draft a launch plan\"}}'\n",
        tenant = welcome::TENANT
    ));
    console::line(format_args!("What the crew does (Ctrl-C stops it):\n"));
}
