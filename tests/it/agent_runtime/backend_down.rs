//! `BACKEND_URL` when the backend, or the way to it, fails (§§3 and 10).

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::crew::{SEND, refused, said, thinking, turn};
use crate::support::Api;
use crate::support::api::builder;
use crate::support::wait::PATIENCE;

/// The way to a backend, which stays the same when the backend moves.
struct Relay {
    address: SocketAddr,
    backend: Arc<Mutex<SocketAddr>>,
    /// How many of the next answers get lost.
    lost: Arc<AtomicUsize>,
    _carrying: JoinSet<()>,
}

impl Relay {
    async fn to(backend: &Api) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(of(backend)));
        let lost = Arc::new(AtomicUsize::new(0));
        let (to, losing) = (target.clone(), lost.clone());
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let backend = *to.lock().unwrap();
                connections.spawn(carry(client, backend, losing.clone()));
            }
        });
        Self {
            address,
            backend: target,
            lost,
            _carrying: carrying,
        }
    }

    fn leads_to(&self, backend: &Api) {
        *self.backend.lock().unwrap() = of(backend);
    }

    /// A runtime that reaches its backend this way.
    fn runtime(&self, model: &StubModel) -> Api {
        let url = format!("http://{}", self.address);
        Api::of(thinking(model).environment("BACKEND_URL", url).start())
    }
}

fn of(api: &Api) -> SocketAddr {
    let address = api.server.url().strip_prefix("http://").unwrap();
    address.parse().unwrap()
}

/// Carries bytes both ways until one side ends, or an answer gets lost, and the connection with it.
async fn carry(client: TcpStream, backend: SocketAddr, lost: Arc<AtomicUsize>) {
    let Ok(backend) = TcpStream::connect(backend).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_backend, mut to_backend) = backend.into_split();
    let there = tokio::io::copy(&mut from_client, &mut to_backend);
    let back = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from_backend.read(&mut buffer).await {
            let one_less = |left: usize| left.checked_sub(1);
            let is_lost = lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
            if is_lost.is_ok() || to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        () = back => {}
    }
}

fn backend(directory: &Path) -> Api {
    let server = builder().argument("--without").argument("runtime");
    Api::of(server.directory(directory).start())
}

fn asked() -> Value {
    turn(json!({"idempotency_key": "k", "metadata": {"kickoff_plan": true}}))
}

#[tokio::test]
async fn an_answer_of_the_backend_that_gets_lost_repeats_nothing() {
    let directory = TempDir::new().unwrap();
    let backend = backend(directory.path());
    let relay = Relay::to(&backend).await;
    let model = StubModel::start();
    // While the model is asked, nothing else is under way.
    let lost = relay.lost.clone();
    model.answer_with(move |request| {
        let has_called = request["messages"].as_array().unwrap().len() > 2;
        if has_called {
            lost.store(2, Ordering::SeqCst);
            Step::text("Done.")
        } else {
            lost.store(1, Ordering::SeqCst);
            Step::tool("create_task", json!({"title": "Sub"}))
        }
    });
    let runtime = relay.runtime(&model);
    let answer = runtime.stranger().post(SEND, asked()).await.ok();
    assert_eq!(answer["tool_calls"][0]["ok"], true, "{answer}");
    assert_eq!(relay.lost.load(Ordering::SeqCst), 0);
    let owner = backend.agent("acme", "owner");
    assert_eq!(said(&owner).await, ["Done."]);
    assert_eq!(owner.items("documents").await.len(), 1);
    assert_eq!(owner.items("tasks?title=Sub").await.len(), 1);
    let posted = owner.items("messages").await;
    assert_eq!(posted[0]["id"], answer["message_id"]);
}

#[tokio::test]
async fn a_reply_nobody_heard_of_is_not_posted_again() {
    let directory = TempDir::new().unwrap();
    let backend = backend(directory.path());
    let relay = Relay::to(&backend).await;
    let model = StubModel::start();
    let lost = relay.lost.clone();
    model.answer_with(move |_| {
        lost.store(3, Ordering::SeqCst);
        Step::text("First.")
    });
    let runtime = relay.runtime(&model);
    let answer = runtime.stranger().post(SEND, asked()).await;
    refused(&answer, 502, "backend_unavailable");
    let owner = backend.agent("acme", "owner");
    assert_eq!(said(&owner).await, ["First."]);
    for words in ["Second.", "Third."] {
        model.always(Step::text(words));
        runtime.stranger().post(SEND, asked()).await.ok();
        assert_eq!(said(&owner).await, ["First."]);
        assert_eq!(owner.items("documents").await.len(), 1);
    }
}

#[tokio::test]
async fn a_backend_that_is_gone_when_the_model_has_answered_is_502_until_it_is_back() {
    let directory = TempDir::new().unwrap();
    let mut first = backend(directory.path());
    let relay = Relay::to(&first).await;
    let model = StubModel::start();
    let runtime = relay.runtime(&model);
    model.push(Step::Hang);
    let gone = async {
        let soon = Instant::now() + PATIENCE;
        assert!(model.wait_for_requests(1, soon).await);
        first.server.kill();
        model.release();
    };
    let stranger = runtime.stranger();
    let (answer, ()) = tokio::join!(stranger.post(SEND, asked()), gone);
    refused(&answer, 502, "backend_unavailable");
    let again = stranger.post(SEND, asked()).await;
    refused(&again, 502, "backend_unavailable");
    assert_eq!(model.request_count(), 1, "no model is asked in vain");

    let second = backend(directory.path());
    relay.leads_to(&second);
    model.push(Step::text("Back again."));
    stranger.post(SEND, asked()).await.ok();
    let owner = second.agent("acme", "owner");
    assert_eq!(said(&owner).await, ["Back again."]);
    assert_eq!(owner.items("tasks").await.len(), 1);
}
