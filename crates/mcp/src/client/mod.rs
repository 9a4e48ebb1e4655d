//! A client of other programs' MCP servers.
//!
//! Who connects to what, when, and how long it may take is the caller's: everything here ends when its future
//! is dropped. What a server can draw out is bounded: lines, bodies and pages have a largest size.

mod given;
mod reach;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, Implementation,
    InitializeRequestParams, PaginatedRequestParams,
};
use rmcp::service::{NotificationContext, RoleClient, RunningService, ServiceError, serve_client};
use serde_json::{Map, Value};
use tokio::process::Child;

pub use given::Given;
pub use reach::Reach;

/// Tools beyond this are not listed.
const MOST_TOOLS: usize = 256;
/// Pages of tools beyond this are not asked for.
const MOST_PAGES: usize = 16;

/// Why a server did not do what it was asked, in words that hold no URL and no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failure {
    why: String,
    is_lost: bool,
}

/// A tool of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTool {
    pub name: String,
    pub description: String,
    /// A JSON Schema of its arguments.
    pub parameters: Value,
    /// The server says that calling it twice does no more than calling it once.
    pub is_repeatable: bool,
}

/// A connection to a server. Dropping it ends the server, if it is a program that was started for it.
#[derive(Debug)]
pub struct Connection {
    running: RunningService<RoleClient, Listener>,
    has_changed: Arc<AtomicBool>,
    /// Killed when it is dropped.
    _program: Option<Child>,
}

/// What hears the server's own messages. Whatever it asks for is declined.
#[derive(Debug)]
struct Listener {
    has_changed: Arc<AtomicBool>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> InitializeRequestParams {
        let name = Implementation::new("stationmaster", env!("CARGO_PKG_VERSION"));
        InitializeRequestParams::new(ClientCapabilities::default(), name)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.has_changed.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Starts or reaches the server and opens a session.
    ///
    /// # Errors
    /// When the program cannot be started, the address is no use, or what is there does not speak MCP.
    pub async fn open(reach: &Reach) -> Result<Self, Failure> {
        let has_changed = Arc::new(AtomicBool::new(false));
        let listener = Listener {
            has_changed: Arc::clone(&has_changed),
        };
        let (running, program) = match reach {
            Reach::Program(program) => {
                let (child, transport) = program.start()?;
                (serve_client(listener, transport).await, Some(child))
            }
            Reach::Address(address) => (serve_client(listener, address.transport()?).await, None),
        };
        Ok(Self {
            running: running.map_err(|error| Failure::of(&error))?,
            has_changed,
            _program: program,
        })
    }

    /// Whether the server is still there, as far as is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.running.is_closed() && !self.running.peer().is_transport_closed()
    }

    /// Whether the server has other tools than when it was last asked.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Relaxed)
    }

    /// The server's tools.
    ///
    /// # Errors
    /// When it does not list them.
    pub async fn tools(&self) -> Result<Vec<ServerTool>, Failure> {
        // Before the first page: what changes from here on is asked for again.
        self.has_changed.store(false, Ordering::Relaxed);
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = PaginatedRequestParams::default().with_cursor(cursor.take());
            let listed = self.running.list_tools(Some(page)).await;
            let listed = listed.map_err(|error| Failure::of(&error))?;
            tools.extend(listed.tools.into_iter().map(tool));
            cursor = listed.next_cursor;
            if cursor.is_none() || tools.len() >= MOST_TOOLS {
                break;
            }
        }
        tools.truncate(MOST_TOOLS);
        Ok(tools)
    }

    /// Calls a tool and waits for what it gives, however long that takes.
    ///
    /// # Errors
    /// When the call itself fails. A tool that says it failed has [given](Given) something all the same.
    pub async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<Given, Failure> {
        let call = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let answer = self.running.call_tool_once(call).await;
        match answer.map_err(|error| Failure::of_call(&error))? {
            CallToolResponse::Complete(result) => Ok(Given::from(result)),
            _ => Err(Failure::new(
                "it wants more input, which nobody here can give",
            )),
        }
    }
}

fn tool(tool: rmcp::model::Tool) -> ServerTool {
    let hints = tool.annotations.unwrap_or_default();
    let is = |hint: Option<bool>| hint == Some(true);
    ServerTool {
        name: tool.name.into_owned(),
        description: tool.description.unwrap_or_default().into_owned(),
        parameters: Value::Object((*tool.input_schema).clone()),
        is_repeatable: is(hints.read_only_hint) || is(hints.idempotent_hint),
    }
}

impl Failure {
    /// More of an error than this is of no use to anybody.
    const LONGEST: usize = 300;

    /// Whether there was no answer at all, so that nobody knows what was done.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn new(message: impl Into<String>) -> Self {
        Self {
            why: message.into(),
            is_lost: false,
        }
    }

    fn of_call(error: &ServiceError) -> Self {
        let failure = Self::of(error);
        match error {
            // The server itself said no.
            ServiceError::McpError(_) => failure,
            _ => Self {
                why: format!("{failure}; it may or may not have been done"),
                is_lost: true,
            },
        }
    }

    /// The innermost cause, which says most and names no address.
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let said = causes.last().map(ToString::to_string).unwrap_or_default();
        let said = said.split(" for url (").next().unwrap_or_default();
        let is_safe = !said.is_empty() && !said.contains("://");
        let said = if is_safe {
            said
        } else {
            "it does not answer as it should"
        };
        Self::new(said.chars().take(Self::LONGEST).collect::<String>())
    }
}
