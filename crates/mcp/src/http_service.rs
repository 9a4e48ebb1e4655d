//! MCP over streamable HTTP: what the server offers at `/mcp`.
//!
//! There are no sessions: each request carries its own credential and is answered by itself, whatever version
//! of the protocol it speaks. So a restart loses nothing, several instances can share the work, and there is
//! nothing a client could pile up. (The tool never asks the client anything, which is what sessions are for.)
//! Only the fixtures of the conformance suite do, so only they keep sessions.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{SessionManager, never::NeverSessionManager},
    },
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    carrier::Carrier,
    conformance::{self, Fixtures},
    server::{Identity, Server},
};

/// The largest request body (contract section 1).
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Refusals of the transport are a sentence; more than this of one is not read.
const LARGEST_REFUSAL: usize = 16 * 1024;
/// How rmcp begins its complaint about a body that is no JSON-RPC message.
const UNREADABLE: &str = "fail to deserialize request body";
/// JSON-RPC's error codes.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INTERNAL_ERROR: i32 = -32603;
/// Hosts that are this machine itself, as they stand in a `Host` header.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How to serve over HTTP.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// Names, with or without a port, that the server is reached under besides loopback ones. A request with
    /// another `Host`, or an `Origin` elsewhere, is refused: a web page could have tricked a browser into it.
    pub allowed_hosts: Vec<String>,
    /// Whether to offer the fixtures of the MCP conformance suite as well. Not for production.
    pub conformance: bool,
    /// Ends what is still being answered when it is cancelled.
    pub stopping: CancellationToken,
}

/// A service that speaks MCP; mount it with axum's `route_service`. Clones are one and the same service.
#[derive(Clone)]
pub struct HttpService(Kind);

#[derive(Clone)]
enum Kind {
    Tool(StreamableHttpService<Server, NeverSessionManager>),
    Conformance(StreamableHttpService<Fixtures, conformance::Sessions>),
}

/// Makes the service for `/mcp`. Its requests go to `carrier` with the headers that say who is asking.
#[must_use]
pub fn http_service(carrier: Arc<dyn Carrier>, options: HttpOptions) -> HttpService {
    let HttpOptions {
        allowed_hosts,
        conformance,
        stopping,
    } = options;
    let server = Server::new(carrier, Identity::default());
    let config = config(allowed_hosts, stopping);
    HttpService(if conformance {
        Kind::Conformance(conformance::service(server, config))
    } else {
        let config = config
            .with_legacy_session_mode(false)
            .with_json_response(true);
        let sessions = Arc::new(NeverSessionManager::default());
        Kind::Tool(StreamableHttpService::new(
            move || Ok(server.clone()),
            sessions,
            config,
        ))
    })
}

fn config(allowed_hosts: Vec<String>, stopping: CancellationToken) -> StreamableHttpServerConfig {
    let mut hosts = LOOPBACK.map(str::to_owned).to_vec();
    hosts.extend(allowed_hosts);
    StreamableHttpServerConfig::default()
        .with_allowed_origins(hosts.iter().flat_map(|host| origins(host)))
        .with_allowed_hosts(hosts)
        .enforce_origin_validation()
        .with_max_request_body_bytes(LARGEST_BODY)
        .with_cancellation_token(stopping)
}

/// The origins of web pages that `host` itself serves, on any port unless it names one.
fn origins(host: &str) -> [String; 2] {
    let bare_ipv6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let authority = if bare_ipv6 {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let names_a_port = !bare_ipv6
        && authority
            .rsplit(':')
            .next()
            .is_some_and(|port| port.parse::<u16>().is_ok());
    let authority = if names_a_port {
        authority
    } else {
        format!("{authority}:*")
    };
    [
        format!("http://{authority}"),
        format!("https://{authority}"),
    ]
}

type Reply = Response<BoxBody<Bytes, Infallible>>;

impl<B> tower::Service<Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Display,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            Ok(match service {
                Kind::Tool(service) => answer(&service, request).await,
                Kind::Conformance(service) => answer(&service, request).await,
            })
        })
    }
}

async fn answer<S, M, B>(service: &StreamableHttpService<S, M>, request: Request<B>) -> Reply
where
    S: ServerHandler,
    M: SessionManager,
    B: Body + Send + 'static,
    B::Error: std::fmt::Display,
{
    let reply = service.handle(request).await;
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !reply.status().is_client_error() && !reply.status().is_server_error()
        || reply.headers().get(CONTENT_TYPE).is_some_and(is_json)
    {
        return reply;
    }
    as_json(reply).await
}

/// The transport's refusals are plain text; here every body is JSON (contract section 1), and an MCP client
/// expects JSON-RPC. There is no `id`: the request was refused before its id was known.
async fn as_json(reply: Reply) -> Reply {
    let (mut parts, body) = reply.into_parts();
    let said = Limited::new(body, LARGEST_REFUSAL)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let said = said.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let (code, message) = match (said.trim(), said.trim().strip_prefix(UNREADABLE)) {
        (_, Some(why)) => {
            // rmcp answers 415 here, which is for media types.
            parts.status = StatusCode::BAD_REQUEST;
            let message = format!("the body is not a JSON-RPC message: {}", why.trim());
            (PARSE_ERROR, message)
        }
        ("", None) => (INVALID_REQUEST, parts.status.to_string()),
        (said, None) => (INVALID_REQUEST, said.to_owned()),
    };
    let code = if parts.status.is_server_error() {
        INTERNAL_ERROR
    } else {
        code
    };
    let body =
        json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message } }).to_string();
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Full::new(Bytes::from(body)).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_an_allowed_host_are_allowed_on_its_ports() {
        let check = |host: &str, expected: &str| assert_eq!(origins(host)[0], expected);
        check("localhost", "http://localhost:*");
        check("board.example:8080", "http://board.example:8080");
        check("::1", "http://[::1]:*");
        check("[::1]:3100", "http://[::1]:3100");
    }
}
