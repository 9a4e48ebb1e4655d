//! Tools of the MCP servers that a workspace names in `mcp.json` (docs/workspace.md).

mod cut_off;
mod http;
mod judged;
mod served;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stationmaster_testkit::model::StubModel;
use stationmaster_testkit::server::ServerBuilder;
use tempfile::TempDir;

use super::crew::{bodies, thinking};
use crate::support::{Api, Json as _};

/// A crew whose workspace names MCP servers.
struct Served {
    model: StubModel,
    data: TempDir,
    workspace: TempDir,
    /// Where the server over standard input and output keeps its records.
    records: TempDir,
}

impl Served {
    fn new() -> Self {
        Self {
            model: StubModel::start(),
            data: TempDir::new().unwrap(),
            workspace: TempDir::new().unwrap(),
            records: TempDir::new().unwrap(),
        }
    }

    /// A crew with one server, `web`, all of whose tools the writer is given by name.
    fn with_server() -> Self {
        let served = Self::new();
        served.name_one(json!({}));
        served
    }

    fn name(&self, servers: &Value) {
        let new = self.workspace.path().join("new");
        std::fs::write(&new, json!({ "mcpServers": servers }).to_string()).unwrap();
        std::fs::rename(new, self.workspace.path().join("mcp.json")).unwrap();
    }

    /// Names the server, with these members changed.
    fn name_one(&self, changes: Value) {
        let mut entry = self.entry();
        let Value::Object(changes) = changes else {
            panic!("changes are an object")
        };
        entry.as_object_mut().unwrap().extend(changes);
        self.name(&json!({ "web": entry }));
    }

    fn entry(&self) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agent_runtime/mcp");
        json!({
            "command": "/bin/sh",
            "args": [script.join("server.sh"), self.records.path()],
            "roles": { "writer": ["note", "look", "long", "fail", "tell", "stay", "die"] },
        })
    }

    fn builder(&self) -> ServerBuilder {
        thinking(&self.model)
            .directory(self.data.path())
            .environment("CLASPER_WORKSPACE", self.workspace.path().to_str().unwrap())
            .environment("PATH", "/usr/local/bin:/usr/bin:/bin")
    }

    fn start(&self) -> Api {
        Api::of(self.builder().start())
    }

    fn record(&self, name: &str) -> PathBuf {
        self.records.path().join(name)
    }

    /// The lines of a record.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.record(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Calls are held until [`release`](Self::release).
    fn hold(&self) {
        std::fs::write(self.record("hold"), "").unwrap();
    }

    fn release(&self) {
        std::fs::remove_file(self.record("hold")).unwrap();
    }

    fn asked(&self) -> Vec<Value> {
        bodies(&self.model.requests())
    }

    /// The system prompt of the last request.
    fn prompt(&self) -> String {
        self.asked().pop().unwrap()["messages"][0].text("content")
    }

    /// The names of the tools that the last request offered and that are not ours.
    fn offered(&self) -> Vec<String> {
        let asked = self.asked().pop().unwrap();
        let tools = asked["tools"].as_array().unwrap().iter();
        let names = tools.map(|tool| tool["function"].text("name"));
        names.filter(|name| name.contains("__")).collect()
    }

    /// What the model was told about its calls in the last request.
    fn results(&self) -> Vec<Value> {
        let asked = self.asked().pop().unwrap();
        let messages = asked["messages"].as_array().unwrap().iter();
        messages
            .filter(|it| it["role"] == "tool")
            .map(|it| serde_json::from_str(&it.text("content")).expect("a result is JSON"))
            .collect()
    }
}

/// The part is in what the model was told of its one call, as an error.
#[track_caller]
fn failed_with(results: &[Value], part: &str) {
    let error = results[0]["error"].as_str().unwrap_or_default();
    assert!(error.contains(part), "{part}: {results:?}");
}
