//! Where a server is: a program to start, or an address.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use reqwest::Url;
use rmcp::RoleClient;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Failure;

/// The longest message taken from a server.
const LONGEST_MESSAGE: usize = 8 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a server is. Two that are equal are the same server, set up the same way.
#[derive(Clone, PartialEq, Eq)]
pub enum Reach {
    /// Started for the connection, and spoken to over its standard input and output.
    Program(Program),
    /// Spoken to over streamable HTTP.
    Address(Address),
}

/// A program as it is started: by itself, without a shell.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    command: String,
    arguments: Vec<String>,
    /// All of its environment.
    environment: Vec<(String, String)>,
    directory: PathBuf,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    headers: HashMap<HeaderName, HeaderValue>,
}

impl Reach {
    /// A program that is started in `directory`, with `environment` and nothing else as its environment.
    #[must_use]
    pub fn program(
        command: String,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        directory: PathBuf,
    ) -> Self {
        Self::Program(Program {
            command,
            arguments,
            environment,
            directory,
        })
    }

    /// An address that gets `headers` with every request.
    ///
    /// # Errors
    /// When the URL is not one of HTTP, or a header cannot be sent.
    pub fn address(url: &str, headers: &[(String, String)]) -> Result<Self, Failure> {
        let url =
            Url::parse(url).map_err(|error| Failure::new(format!("the URL is wrong: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::new("the URL must begin with http:// or https://"));
        }
        let mut known = HashMap::new();
        for (name, value) in headers {
            let wrong = || Failure::new(format!("the header {name:?} cannot be sent"));
            let key: HeaderName = name.parse().map_err(|_| wrong())?;
            let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
            value.set_sensitive(true);
            known.insert(key, value);
        }
        Ok(Self::Address(Address {
            url,
            headers: known,
        }))
    }
}

impl Program {
    pub(super) fn start(
        &self,
    ) -> Result<(Child, AsyncRwTransport<RoleClient, ChildStdout, ChildStdin>), Failure> {
        let cannot = |why: String| Failure::new(format!("it cannot be started: {why}"));
        let mut command = Command::new(&self.command);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // What stops us from a terminal lets turns end first; they may still need it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| cannot(error.to_string()))?;
        let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(cannot("it has no standard input and output".to_owned()));
        };
        let transport = AsyncRwTransport::new_client(output, input);
        Ok((child, transport.with_max_line_length(LONGEST_MESSAGE)))
    }
}

impl Address {
    pub(super) fn transport(
        &self,
    ) -> Result<StreamableHttpClientTransport<reqwest::Client>, Failure> {
        // Redirects are not followed: the headers would go with them.
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")));
        if self.is_this_machine() {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| Failure::of(&error))?;
        let config = StreamableHttpClientTransportConfig::with_uri(self.url.as_str())
            .custom_headers(self.headers.clone())
            .max_sse_event_size(LONGEST_MESSAGE);
        Ok(StreamableHttpClientTransport::with_client(client, config))
    }
}

impl Address {
    fn is_this_machine(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|it| it.is_loopback())
    }
}

/// What it is, without what may be secret of it.
impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => f.debug_tuple("Program").field(&program.command).finish(),
            Self::Address(address) => {
                let host = address.url.host_str().unwrap_or_default();
                f.debug_tuple("Address").field(&host).finish()
            }
        }
    }
}
