//! A runtime, its backend and its model, put together for a test.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, Once};

use stationmaster_model::Prices;
use stationmaster_peer::{Peer, PeerConfig};
use stationmaster_runtime::{
    AgentIdentity, Backend, Config, HttpBackend, Journal, Observer, Outcome, Parts, PostingLedger,
    Runtime, SendRequest, TurnError, TurnEvent, TurnEventKind, Workspace,
};

use crate::backend::Fake;
use crate::model::{Scripted, Step};

pub(crate) struct Crew {
    pub(crate) backend: Arc<Fake>,
    pub(crate) model: Arc<Scripted>,
    pub(crate) runtime: Runtime,
    events: Arc<Events>,
}

#[derive(Default)]
struct Events(Mutex<Vec<TurnEvent>>);

impl Observer for Events {
    fn observe(&self, event: TurnEvent) {
        self.0.lock().unwrap().push(event);
    }
}

pub(crate) fn http_backend(url: &str) -> Arc<dyn Backend> {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let minter = |who: &AgentIdentity| Ok::<_, Infallible>(format!("{}/{}", who.user_id, who.role));
    let peer = Peer::new(&PeerConfig::new("backend", url)).unwrap();
    Arc::new(HttpBackend::new(peer, minter))
}

impl Crew {
    pub(crate) async fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::configured(steps, |_| ()).await
    }

    pub(crate) async fn configured(
        steps: impl IntoIterator<Item = Step>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let (backend, address) = Fake::start().await;
        backend.add_task("u1", "t1", "The task");
        let url = format!("http://{address}/");
        Self::against(&url, backend, steps, change)
    }

    pub(crate) fn against(
        url: &str,
        backend: Arc<Fake>,
        steps: impl IntoIterator<Item = Step>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::new("gpt-4o-mini");
        change(&mut config);
        let model = Scripted::new(steps);
        let http = http_backend(url);
        let events = Arc::new(Events::default());
        let runtime = Runtime::new(Parts {
            model: Some(model.clone()),
            backend: http.clone(),
            ledger: Arc::new(PostingLedger::new(http, Journal::default())),
            workspace: Workspace::new("/nonexistent")
                .with_default_timezone("UTC")
                .unwrap(),
            prices: Prices::default(),
            observer: Some(events.clone()),
            tracer: None,
            clock: Arc::new(|| "2026-11-21T13:05:09Z".parse().unwrap()),
            config,
        });
        Self {
            backend,
            model,
            runtime,
            events,
        }
    }

    pub(crate) async fn send(&self, request: SendRequest) -> Result<Outcome, TurnError> {
        match self.runtime.send(request).await? {
            stationmaster_runtime::Ended::Answered(outcome)
            | stationmaster_runtime::Ended::Replayed(outcome) => Ok(*outcome),
            stationmaster_runtime::Ended::Paused(pause) => panic!("{pause:?}"),
        }
    }

    /// The code of the error that this request comes to.
    pub(crate) async fn refused(&self, request: SendRequest) -> &'static str {
        self.send(request).await.unwrap_err().code()
    }

    pub(crate) fn events(&self) -> Vec<TurnEventKind> {
        self.events
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|event| event.kind.clone())
            .collect()
    }
}

/// A request about the task that is there.
pub(crate) fn request() -> SendRequest {
    SendRequest {
        user_id: "u1".to_owned(),
        session_key: Some("user:u1:agent".to_owned()),
        message: "Which schools fit?".to_owned(),
        task_id: Some("t1".to_owned()),
        ..SendRequest::default()
    }
}

pub(crate) fn keyed(key: &str) -> SendRequest {
    SendRequest {
        idempotency_key: Some(key.to_owned()),
        ..request()
    }
}
