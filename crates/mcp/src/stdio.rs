//! MCP over standard input and output: what `mc mcp` does.

use std::sync::Arc;

use rmcp::{
    service::{ServerInitializeError, serve_server_with_ct},
    transport::{async_rw::AsyncRwTransport, io::stdio_pipes},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::{
    carrier::Carrier,
    server::{Identity, Server},
};

/// The longest line taken from the client: the API's 4 MiB body (contract section 1) in JSON's escapes.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// How to serve over standard input and output.
#[derive(Debug, Clone, Default)]
pub struct StdioOptions {
    /// Ends the service when it is cancelled; the end of the input always does.
    pub stopping: CancellationToken,
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client did not begin as MCP says.
    #[error("the MCP client did not start a session: {0}")]
    Opening(String),
    /// The service broke down.
    #[error("serving MCP broke down: {0}")]
    Broken(String),
}

/// Serves MCP on standard input and output until the input ends.
///
/// Nothing else may write to standard output meanwhile.
///
/// # Errors
/// When the client opens the session with anything but MCP, or the service breaks down.
pub async fn serve_stdio(
    carrier: Arc<dyn Carrier>,
    identity: Identity,
    options: StdioOptions,
) -> Result<(), Error> {
    let (input, output) = stdio_pipes();
    serve_connection(carrier, identity, options, input, output).await
}

/// Serves MCP, a message a line, on any pair of streams until `input` ends.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_connection(
    carrier: Arc<dyn Carrier>,
    identity: Identity,
    options: StdioOptions,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), Error> {
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(LONGEST_LINE);
    let server = Server::new(carrier, identity);
    let running = match serve_server_with_ct(server, transport, options.stopping).await {
        Ok(running) => running,
        // A client that goes away, or a wish to stop, before the first message is an end like any other.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            return Ok(());
        }
        Err(failure) => return Err(Error::Opening(failure.to_string())),
    };
    running
        .waiting()
        .await
        .map_err(|failure| Error::Broken(failure.to_string()))?;
    Ok(())
}
