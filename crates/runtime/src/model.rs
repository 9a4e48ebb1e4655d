//! The port to whatever answers.

use async_trait::async_trait;
use stationmaster_model::{Client, Error, Reply, Request};
use tokio::time::Instant;

/// Something that answers a conversation.
#[async_trait]
pub trait Model: Send + Sync {
    /// One answer, or why there is none. It does its own retries and ends by `deadline`.
    async fn complete(&self, request: Request, deadline: Instant) -> Result<Reply, Error>;
}

#[async_trait]
impl Model for Client {
    async fn complete(&self, request: Request, deadline: Instant) -> Result<Reply, Error> {
        Client::complete(self, request, deadline).await
    }
}
