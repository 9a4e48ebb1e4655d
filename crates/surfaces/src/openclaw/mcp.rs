//! The MCP tool on the server (§15): its calls go to this contract's own routes, inside the
//! process, with the caller's own credential, so nothing is allowed here that is not there.

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use stationmaster_http::body;
use stationmaster_mcp::{ApiReply, ApiRequest, Carrier, CarrierError};
use std::time::Duration;
use tower::ServiceExt as _;

/// More than any answer of these routes holds.
const LARGEST_REPLY: usize = 64 << 20;

/// Carries calls to the routes of this contract.
pub(crate) struct Inside {
    pub routes: Router,
}

#[async_trait]
impl Carrier for Inside {
    async fn call(&self, request: ApiRequest) -> Result<ApiReply, CarrierError> {
        let mut builder = Request::builder()
            .method(request.method.as_str())
            .uri(&request.path_and_query);
        let headers = [
            ("authorization", &request.caller.authorization),
            ("x-agent-id", &request.caller.agent_id),
            ("x-user-id", &request.caller.user_id),
            ("x-idempotency-key", &request.idempotency_key),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        let content = match &request.body {
            Some(body) => {
                builder = builder.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = builder
            .body(content)
            .map_err(|error| CarrierError::Garbled(error.to_string()))?;
        let Ok(response) = self.routes.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let bytes = body::read(response.into_body(), LARGEST_REPLY)
            .await
            .map_err(|_| CarrierError::Garbled("the answer is too large".to_owned()))?;
        let body = serde_json::from_slice(&bytes)
            .map_err(|error| CarrierError::Garbled(error.to_string()))?;
        Ok(ApiReply {
            status,
            body,
            retry_after,
        })
    }
}
