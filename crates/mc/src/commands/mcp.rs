//! `mc mcp`: the one MCP tool over standard input and output (§15). What an action means is the MCP
//! crate's; we carry its requests to the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use reqwest::Method;
use stationmaster_mcp::{
    ApiReply, ApiRequest, Carrier, CarrierError, Identity, Method as Verb, StdioOptions,
    serve_stdio,
};

use crate::call::{Actor, Call};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::session::Session;

/// A busy server is the model's to wait for, and it is told how long.
const LONGEST_WAIT: Duration = Duration::ZERO;

/// Speaks MCP on standard input and output until the input ends. Add it to an assistant as the
/// command `mc mcp`.
#[derive(Debug, Args)]
pub(crate) struct Mcp {}

impl Mcp {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        // Said now, and not only when a model first tries.
        session.client.require_token()?;
        let identity = Identity {
            agent_id: session.settings.agent.clone(),
            session_key: session.settings.session.clone(),
        };
        let carrier = Arc::new(Http {
            client: Arc::clone(&session.client),
            timeout: session.settings.timeout,
        });
        serve_stdio(carrier, identity, StdioOptions::default())
            .await
            .map_err(|error| Failure::other(error.to_string()))?;
        Ok(Exit::Done)
    }
}

/// Carries requests over HTTP.
struct Http {
    client: Arc<Client>,
    timeout: Duration,
}

#[async_trait]
impl Carrier for Http {
    async fn call(&self, request: ApiRequest) -> Result<ApiReply, CarrierError> {
        let path = request
            .path_and_query
            .strip_prefix("/api/v1")
            .unwrap_or(&request.path_and_query);
        let call = Call {
            method: match request.method {
                Verb::Get => Method::GET,
                Verb::Post => Method::POST,
                Verb::Patch => Method::PATCH,
            },
            path: path.to_owned(),
            body: request.body,
            actor: Actor::Agent,
            purpose: None,
        };
        let answer = self
            .client
            .send_with_key(&call, request.idempotency_key.as_deref(), LONGEST_WAIT)
            .await;
        let reply = answer.map_err(|failure| match failure.is_late {
            true => CarrierError::TimedOut(self.timeout),
            false => CarrierError::Unreachable(failure.message),
        })?;
        if reply.body.is_null() {
            return Err(CarrierError::Garbled(format!(
                "status {} without JSON",
                reply.status
            )));
        }
        Ok(ApiReply {
            status: reply.status,
            retry_after: reply.retry_after().map(Duration::from_secs),
            body: reply.body,
        })
    }
}
