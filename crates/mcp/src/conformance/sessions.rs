//! Sessions with a bound: rmcp's own in memory, of which there can only be so many.

use std::sync::Arc;

use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        EventStore, ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError},
    },
};

/// Sessions open at once. An idle one ends after rmcp's five minutes.
const MOST_SESSIONS: usize = 256;

/// The sessions of the conformance fixtures.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: LocalSessionManager,
}

/// Why a session cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("{MOST_SESSIONS} sessions are open already; close one, or wait five minutes")]
    TooMany,
    #[error(transparent)]
    Broken(#[from] LocalSessionManagerError),
}

type Opened<T> = Result<T, SessionError>;

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Opened<(SessionId, Self::Transport)> {
        // Two clients at once may both come in as the last one; the bound need not be exact.
        if self.open.sessions.read().await.len() >= MOST_SESSIONS {
            return Err(SessionError::TooMany);
        }
        Ok(self.open.create_session().await?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Opened<ServerJsonRpcMessage> {
        Ok(self.open.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Opened<bool> {
        Ok(self.open.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Opened<()> {
        Ok(self.open.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Opened<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.open.create_stream(id, message).await?)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Opened<()> {
        Ok(self.open.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Opened<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.open.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Opened<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.open.resume(id, last_event_id).await?)
    }

    fn event_store(&self) -> Option<Arc<dyn EventStore>> {
        self.open.event_store()
    }
}
