//! A small agent daemon that keeps a record of what it is sent and fails as it is told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::site::{Asked, Reply, Site};

pub(super) const DAEMON_KEY: &str = "the key of the small daemon";

/// What to do with a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Status(u16),
    /// 429 with `Retry-After`.
    Busy(u64),
    /// Answers only after [`SmallDaemon::release`].
    Hang,
}

pub(super) const OK: Step = Step::Status(200);

type Decide = Box<dyn FnMut(&Value, usize) -> Step + Send>;

struct Record {
    sends: Vec<Value>,
    keys: Vec<Option<String>>,
    decide: Decide,
    tries: HashMap<String, usize>,
    /// How many turns run in each session, and in all.
    running: HashMap<String, usize>,
    most_in_session: usize,
    most: usize,
}

pub(super) struct SmallDaemon {
    site: Site,
    record: Arc<Mutex<Record>>,
    released: watch::Sender<bool>,
}

impl SmallDaemon {
    /// A daemon that takes everything.
    pub(super) fn start() -> Self {
        Self::deciding(|_, _| OK)
    }

    /// `decide` is asked about each send: its body, and how often its notification was sent before.
    pub(super) fn deciding(decide: impl FnMut(&Value, usize) -> Step + Send + 'static) -> Self {
        let record = Arc::new(Mutex::new(Record {
            sends: Vec::new(),
            keys: Vec::new(),
            decide: Box::new(decide),
            tries: HashMap::new(),
            running: HashMap::new(),
            most_in_session: 0,
            most: 0,
        }));
        let released = watch::Sender::new(false);
        let (shared, release) = (record.clone(), released.clone());
        let site = Site::start(Arc::new(move |asked: Asked| {
            answer(shared.clone(), release.subscribe(), asked).boxed()
        }));
        Self {
            site,
            record,
            released,
        }
    }

    pub(super) fn url(&self) -> String {
        self.site.url()
    }

    pub(super) fn go(&mut self) {
        self.site.go();
    }

    pub(super) fn come_back(&mut self) {
        self.site.come_back();
    }

    /// Lets what hangs go on, now and from now on.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    /// Bodies of sends, in the order of arrival.
    pub(super) fn sends(&self) -> Vec<Value> {
        self.record.lock().unwrap().sends.clone()
    }

    /// Their notifications.
    pub(super) fn sent(&self) -> Vec<String> {
        self.sends().iter().map(id).collect()
    }

    /// Their `Idempotency-Key` headers.
    pub(super) fn keys(&self) -> Vec<Option<String>> {
        self.record.lock().unwrap().keys.clone()
    }

    /// How many turns ran at once: at most in one session, and at most in all.
    pub(super) fn most(&self) -> (usize, usize) {
        let record = self.record.lock().unwrap();
        (record.most_in_session, record.most)
    }
}

fn id(body: &Value) -> String {
    let id = &body["metadata"]["notification_id"];
    id.as_str().unwrap_or_default().to_owned()
}

async fn answer(
    record: Arc<Mutex<Record>>,
    mut released: watch::Receiver<bool>,
    asked: Asked,
) -> Reply {
    if (asked.method.as_str(), asked.path.as_str()) != ("POST", "/api/agents/send") {
        return (404, json!({"error": "no such route"}), None);
    }
    if asked.header("x-agent-daemon-key") != Some(DAEMON_KEY) {
        return (403, json!({"error": "no key"}), None);
    }
    let session = asked.body["session_key"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let step = {
        let record = &mut *record.lock().unwrap();
        record.sends.push(asked.body.clone());
        let key = asked.header("idempotency-key").map(str::to_owned);
        record.keys.push(key);
        let tries = record.tries.entry(id(&asked.body)).or_default();
        *tries += 1;
        let step = (record.decide)(&asked.body, *tries - 1);
        let running = record.running.entry(session.clone()).or_default();
        *running += 1;
        record.most_in_session = record.most_in_session.max(*running);
        record.most = record.most.max(record.running.values().sum());
        step
    };
    if step == Step::Hang {
        released.wait_for(|released| *released).await.unwrap();
    }
    *record.lock().unwrap().running.get_mut(&session).unwrap() -= 1;
    match step {
        Step::Status(status @ (200 | 202)) => (status, json!({"status": "ok"}), None),
        Step::Status(status) => (status, json!({"error": "told to fail"}), None),
        Step::Busy(seconds) => (429, json!({"error": "busy"}), Some(seconds)),
        Step::Hang => (200, json!({"status": "ok"}), None),
    }
}
