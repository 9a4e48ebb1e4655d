//! The port to whatever answers.

use async_trait::async_trait;
use stationmaster_model::{Client, Error, Listener, Reply, Request};
use tokio::time::Instant;

/// Something that answers a conversation.
#[async_trait]
pub trait Model: Send + Sync {
    /// One answer, or why there is none. It does its own retries and ends by `deadline`.
    async fn complete(&self, request: Request, deadline: Instant) -> Result<Reply, Error>;

    /// The same, and `listener` hears the text as it comes, or at once where it comes as a whole.
    async fn stream(
        &self,
        request: Request,
        deadline: Instant,
        listener: &dyn Listener,
    ) -> Result<Reply, Error> {
        let reply = self.complete(request, deadline).await?;
        listener.heard(&reply.text);
        Ok(reply)
    }

    /// The name without the prefix that says whose model it is, as settings may give it.
    fn bare<'a>(&self, model: &'a str) -> &'a str {
        model
    }
}

#[async_trait]
impl Model for Client {
    async fn complete(&self, request: Request, deadline: Instant) -> Result<Reply, Error> {
        Client::complete(self, request, deadline).await
    }

    fn bare<'a>(&self, model: &'a str) -> &'a str {
        self.provider().bare(model)
    }

    async fn stream(
        &self,
        request: Request,
        deadline: Instant,
        listener: &dyn Listener,
    ) -> Result<Reply, Error> {
        Client::stream(self, request, deadline, listener).await
    }
}
