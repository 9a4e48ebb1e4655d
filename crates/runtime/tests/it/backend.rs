//! A small Mission Control backend, written from the contract alone.
//!
//! Tokens are `user/role` in clear: signing is not this crate's business.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

#[derive(Default)]
pub(crate) struct Fake {
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// By kind: tasks, messages, documents, tool-requests, notifications; the oldest first.
    rows: HashMap<String, Vec<Value>>,
    /// What every create with a key said, and its answer.
    keys: HashMap<(String, String, String), (Value, Value)>,
    /// Method and path of each request that came, and what it said.
    pub(crate) seen: Vec<(String, Value)>,
    /// Answers to give instead, each once: method and path, and the status.
    faults: Vec<(String, u16)>,
    /// These requests never get an answer.
    stuck: Option<String>,
    /// Lists of tasks wait for one another here, once each.
    meeting: Option<(Arc<Barrier>, usize)>,
    pub(crate) knows_title_filter: bool,
    pub(crate) tools: Option<Value>,
}

impl Fake {
    pub(crate) async fn start() -> (Arc<Self>, SocketAddr) {
        let fake = Arc::new(Self::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&fake));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async move { axum::serve(listener, router).await.unwrap() };
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(server);
        (fake, address)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn fail(&self, request: &str, status: u16, times: usize) {
        self.lock()
            .faults
            .extend(vec![(request.to_owned(), status); times]);
    }

    pub(crate) fn never_answer(&self, request: &str) {
        self.lock().stuck = Some(request.to_owned());
    }

    /// The next `count` lists of tasks are answered only when all of them have come.
    pub(crate) fn let_lists_meet(&self, count: usize) {
        self.lock().meeting = Some((Arc::new(Barrier::new(count)), count));
    }

    pub(crate) fn add_task(&self, user: &str, id: &str, title: &str) {
        let task = json!({ "id": id, "user_id": user, "title": title, "status": "done" });
        self.lock()
            .rows
            .entry("tasks".to_owned())
            .or_default()
            .push(task);
    }

    pub(crate) fn rows(&self, kind: &str) -> Vec<Value> {
        self.lock().rows.get(kind).cloned().unwrap_or_default()
    }

    /// The bodies of the requests of this method and path.
    pub(crate) fn bodies(&self, request: &str) -> Vec<Value> {
        let inner = self.lock();
        let fitting = inner.seen.iter().filter(|(seen, _)| seen == request);
        fitting.map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(State(fake): State<Arc<Fake>>, request: Request<Body>) -> Response {
    let token = request
        .headers()
        .get("x-agent-token")
        .and_then(|token| token.to_str().ok());
    let user = token
        .and_then(|token| token.split_once('/'))
        .map(|(user, _)| user.to_owned());
    let name = format!("{} {}", request.method(), request.uri().path());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);

    fake.lock().seen.push((name.clone(), body.clone()));
    if fake.lock().stuck.as_deref() == Some(&name) {
        std::future::pending::<()>().await;
    }
    let meeting = if name.ends_with("GET /api/mission-control/tasks") {
        fake.lock().join()
    } else {
        None
    };
    if let Some(barrier) = meeting {
        barrier.wait().await;
    }
    let mut inner = fake.lock();
    if let Some(at) = inner.faults.iter().position(|(fault, _)| *fault == name) {
        let (_, status) = inner.faults.remove(at);
        return problem(status, "as the test wants");
    }
    let Some(user) = user else {
        return problem(401, "no token");
    };
    inner.answer(&user, &name, &query, &body)
}

fn problem(status: u16, message: &str) -> Response {
    (
        StatusCode::from_u16(status).unwrap(),
        Json(json!({ "error": message })),
    )
        .into_response()
}

impl Inner {
    fn join(&mut self) -> Option<Arc<Barrier>> {
        let (barrier, left) = self.meeting.as_mut()?;
        *left = left.checked_sub(1)?;
        Some(Arc::clone(barrier))
    }

    fn answer(&mut self, user: &str, name: &str, query: &str, body: &Value) -> Response {
        if name == "GET /api/tools" {
            return match &self.tools {
                Some(tools) => Json(json!({ "tools": tools })).into_response(),
                None => problem(404, "no such route"),
            };
        }
        if let Some(tool) = name.strip_prefix("POST /api/tools/") {
            return Json(json!({ "tool": tool, "echo": body["arguments"] })).into_response();
        }
        let (method, path) = name.split_once(' ').unwrap();
        let Some(path) = path.strip_prefix("/api/mission-control/") else {
            return problem(404, "no such route");
        };
        match (method, path.split_once('/')) {
            ("GET", None) => self.list(user, path, query),
            ("POST", None) => self.create(user, path, body),
            ("PATCH", Some(("tasks", id))) => self.update(user, id, body),
            _ => problem(404, "no such route"),
        }
    }

    /// The newest first, pages of `limit`, the offset as cursor.
    fn list(&self, user: &str, kind: &str, query: &str) -> Response {
        let query: HashMap<String, String> =
            serde_json::from_value(Value::Object(pairs(query))).unwrap();
        let number =
            |name: &str, otherwise| query.get(name).map_or(otherwise, |n| n.parse().unwrap());
        let (limit, offset): (usize, usize) = (number("limit", 50).min(100), number("cursor", 0));
        let title = query.get("title").filter(|_| self.knows_title_filter);
        let rows = self.rows.get(kind).into_iter().flatten().rev();
        let fitting = rows.filter(|row| {
            row["user_id"] == user && title.is_none_or(|title| row["title"] == title.as_str())
        });
        let mut items: Vec<&Value> = fitting.skip(offset).take(limit + 1).collect();
        let next = (items.len() > limit).then(|| (offset + limit).to_string());
        items.truncate(limit);
        Json(json!({ "items": items, "next_cursor": next })).into_response()
    }

    fn create(&mut self, user: &str, kind: &str, body: &Value) -> Response {
        let known_task = |id: &Value| {
            let mut tasks = self.rows.get("tasks").into_iter().flatten();
            tasks.any(|task| task["id"] == *id && task["user_id"] == user)
        };
        if kind != "tasks" && kind != "tool-requests" && !known_task(&body["task_id"]) {
            return problem(404, "there is no such task");
        }
        if body["content"]
            .as_str()
            .is_some_and(|content| content.trim().is_empty())
        {
            return problem(400, "the content is empty");
        }
        let key = body["idempotency_key"]
            .as_str()
            .expect("every create carries a key");
        let key = (user.to_owned(), kind.to_owned(), key.to_owned());
        if let Some((first, answer)) = self.keys.get(&key) {
            return if first == body {
                Json(answer).into_response()
            } else {
                problem(409, "the key was used for another request")
            };
        }
        let mut row = body.clone();
        row["user_id"] = json!(user);
        let rows = self.rows.entry(kind.to_owned()).or_default();
        row["id"] = json!(format!("{kind}-{}", rows.len() + 1));
        rows.push(row.clone());
        self.keys.insert(key, (body.clone(), row.clone()));
        Json(row).into_response()
    }

    fn update(&mut self, user: &str, id: &str, body: &Value) -> Response {
        let mut tasks = self.rows.get_mut("tasks").into_iter().flatten();
        let Some(task) = tasks.find(|task| task["id"] == id && task["user_id"] == user) else {
            return problem(404, "there is no such task");
        };
        for (name, value) in body.as_object().unwrap() {
            task[name] = value.clone();
        }
        Json(task.clone()).into_response()
    }
}

fn pairs(query: &str) -> serde_json::Map<String, Value> {
    let url = reqwest::Url::parse(&format!("http://h/?{query}")).unwrap();
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect()
}
