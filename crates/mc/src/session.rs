//! What a command works with: the settings, the server and the output.

use std::sync::Arc;
use std::time::Duration;

use crate::call::Call;
use crate::client::Client;
use crate::config::Settings;
use crate::failure::{Exit, Failure};
use crate::options::{Global, Watch};
use crate::print::console::{self, Console};
use crate::print::{Output, Shape, Style};
use crate::reply::Reply;

/// The server is looked at no more often than this.
const SHORTEST_WATCH: Duration = Duration::from_secs(2);

/// One run of a command.
pub(crate) struct Session {
    pub settings: Settings,
    pub client: Arc<Client>,
    pub out: Output,
    /// The caller gave an idempotency key.
    is_keyed: bool,
}

impl Session {
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let settings = Settings::load(global)?;
        let console = Console::new(settings.no_colour);
        if settings.level >= crate::config::Level::Warn {
            for warning in &settings.warnings {
                console::note(&format!("warning: {warning}"));
            }
        }
        Ok(Self {
            out: Output::new(console, global),
            client: Arc::new(Client::new(&settings, global.idempotency_key.clone())),
            settings,
            is_keyed: global.idempotency_key.is_some(),
        })
    }

    /// The time for the record. Of a request with a key of the caller's the server says it: sent again, it has
    /// to be the same request.
    pub(crate) fn now(&self) -> String {
        match self.is_keyed {
            true => "now".to_owned(),
            false => crate::print::time::now().to_string(),
        }
    }

    /// The agent we are. The server knows it by the token where we do not.
    pub(crate) fn me(&self) -> &str {
        self.settings.agent.as_deref().unwrap_or("me")
    }

    /// Sends a request and shows the reply.
    pub(crate) async fn show(
        &self,
        call: Call,
        shape: Shape<'_>,
        view: impl Fn(&Style, &serde_json::Value) -> String,
    ) -> Result<Exit, Failure> {
        let reply = self.client.send(&call).await?;
        self.out.show(&reply, shape, view)?;
        Ok(Exit::Done)
    }

    /// Asks once, or again and again with `--watch`, and shows the reply when it has changed.
    pub(crate) async fn watch(
        &self,
        watch: &Watch,
        ask: impl AsyncFn() -> Result<Reply, Failure>,
        shape: Shape<'_>,
        view: impl Fn(&Style, &serde_json::Value) -> String,
    ) -> Result<Exit, Failure> {
        if !watch.watch {
            let reply = ask().await?;
            self.out.show(&reply, shape, view)?;
            return Ok(Exit::Done);
        }
        let pause = watch.every.max(SHORTEST_WATCH);
        let mut shown = String::new();
        loop {
            match ask().await {
                Ok(reply) => {
                    let text = self.out.render(&reply, shape, &view);
                    if text != shown {
                        self.out.redraw(&text)?;
                        shown = text;
                    }
                }
                Err(failure) if is_passing(&failure) => console::explain(&failure),
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether the same request may well succeed in a while, so that a watch goes on.
pub(crate) fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure.exit,
        Exit::Network | Exit::Server | Exit::RateLimited
    )
}
