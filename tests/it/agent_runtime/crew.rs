//! A server whose agents think with a scripted model, and those who ask them.

use std::path::Path;

use serde_json::{Value, json};
use stationmaster_testkit::model::{Recorded, StubModel};
use stationmaster_testkit::server::ServerBuilder;
use tempfile::TempDir;

use crate::support::api::{Answer, builder};
use crate::support::{Api, Caller};

pub(crate) const SEND: &str = "/api/agents/send";

/// A server that thinks with `model` and tries again without much of a pause. Nothing but requests
/// starts a turn: the dispatcher is left out.
pub(crate) fn thinking(model: &StubModel) -> ServerBuilder {
    woken(model).argument("--without").argument("dispatcher")
}

/// The same with its dispatcher.
pub(crate) fn woken(model: &StubModel) -> ServerBuilder {
    builder()
        .environment("OPENAI_BASE_URL", model.base_url())
        .environment("CLASPER_RETRY_DELAY_MS", "1")
        .environment("CLASPER_RETRY_MAX_DELAY_MS", "5")
}

/// A server and the model its agents think with.
pub(crate) struct Crew {
    pub api: Api,
    pub model: StubModel,
}

impl Crew {
    pub(crate) fn start() -> Self {
        Self::with(|builder| builder)
    }

    /// A server that `change` had a say in.
    pub(crate) fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let model = StubModel::start();
        let api = Api::of(change(thinking(&model)).start());
        Self { api, model }
    }

    pub(crate) async fn send(&self, body: Value) -> Answer {
        self.api.stranger().post(SEND, body).await
    }

    /// What the model was asked, body by body.
    pub(crate) fn asked(&self) -> Vec<Value> {
        bodies(&self.model.requests())
    }

    /// Somebody who looks at what the tenant of [`turn`] has.
    pub(crate) fn owner(&self) -> Caller {
        self.api.agent("acme", "owner")
    }
}

pub(crate) fn bodies(requests: &[Recorded]) -> Vec<Value> {
    requests.iter().map(|it| it.body.clone()).collect()
}

/// A good request for a turn of acme's writer on the task "Launch", with these members changed.
pub(crate) fn turn(changes: Value) -> Value {
    let mut body = json!({
        "user_id": "acme",
        "session_key": "user:acme:writer",
        "task_title": "Launch",
        "message": "Write the plan",
    });
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    body.as_object_mut().unwrap().extend(changes);
    body
}

/// The same without a member.
pub(crate) fn turn_without(name: &str, changes: Value) -> Value {
    let mut body = turn(changes);
    body.as_object_mut().unwrap().remove(name);
    body
}

/// The body of a refusal in the one shape of this contract (§3).
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:#?}");
    assert_eq!(
        answer.headers["content-type"], "application/json",
        "{answer:?}"
    );
    let body = answer.json();
    let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["error", "code", "details"], "{answer:?}");
    assert!(
        body["error"].as_str().is_some_and(|it| !it.is_empty()),
        "{answer:?}"
    );
    assert_eq!(body["code"], code, "{answer:?}");
    assert!(
        body["details"].is_null() || body["details"].is_object(),
        "{answer:?}"
    );
    body
}

/// What the thread of a task holds, oldest first.
pub(crate) async fn thread(owner: &Caller, task: &str) -> Vec<Value> {
    owner
        .items(&format!("messages?task_id={task}&order=asc&limit=100"))
        .await
}

/// The contents of everything that was said anywhere in the tenant.
pub(crate) async fn said(owner: &Caller) -> Vec<String> {
    let all = owner.items("messages?order=asc&limit=100").await;
    all.iter()
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

/// A file that moves the clock of servers started with it.
pub(crate) struct Clock(TempDir);

impl Clock {
    pub(crate) fn new() -> Self {
        let clock = Self(TempDir::new().unwrap());
        clock.set(0);
        clock
    }

    /// Starts the server by this clock.
    pub(crate) fn moves(&self, builder: ServerBuilder) -> ServerBuilder {
        builder
            .argument("--test-clock")
            .argument(self.file().to_str().unwrap())
    }

    /// Sets it so many seconds ahead of the real one; nobody sees a half-written file.
    pub(crate) fn set(&self, seconds: i64) {
        let new = self.0.path().join("new");
        std::fs::write(&new, (seconds * 1000).to_string()).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("clock")
    }
}

/// Writes files under `directory`, each with its path.
pub(crate) fn write_all(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
