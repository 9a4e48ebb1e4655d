//! A small Mission Control backend, written from the contract alone, with the originals' quirks:
//! lists are oldest first, at most 50 long and have no cursor; `dispatch/undelivered` is only read
//! with GET and knows no lease; there is no `fail` route unless a test asks for one, and no route
//! beyond those that the documents demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use ring::hmac;
use serde_json::{Value, json};

use super::site::{Asked, Reply, Site};
use crate::support::api::{INTERNAL_TOKEN, JWT_SECRET};

const PAGE: usize = 50;

#[derive(Default)]
struct Board {
    /// Everything created, by route: tasks, messages, documents.
    rows: HashMap<&'static str, Vec<Value>>,
    /// The body that a key was used with, and the answer. One table for all tenants, as originals do.
    keys: HashMap<(&'static str, String), (String, Value)>,
    notifications: Vec<Notification>,
    /// Every request, as `METHOD path`.
    asked: Vec<String>,
    /// The queries of looks at what is undelivered.
    looks: Vec<HashMap<String, String>>,
    /// Bodies of heartbeats, standups and reports of failures, with who sent them.
    calls: Vec<(String, String, Value)>,
    /// How many of the next acknowledgements fail.
    broken_acks: usize,
    keeps_failures: bool,
}

struct Notification {
    body: Value,
    delivered: bool,
    dead: bool,
}

/// The server, and a view of what it holds.
pub(super) struct SmallBackend {
    site: Site,
    board: Arc<Mutex<Board>>,
}

impl SmallBackend {
    pub(super) fn start() -> Self {
        let board = Arc::new(Mutex::new(Board::default()));
        let shared = board.clone();
        let site = Site::start(Arc::new(move |asked: Asked| {
            let reply = shared.lock().unwrap().answer(&asked);
            futures::future::ready(reply).boxed()
        }));
        Self { site, board }
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

    /// From now on there is a route for reports of failures.
    pub(super) fn keep_failures(&self) {
        self.board.lock().unwrap().keeps_failures = true;
    }

    pub(super) fn break_acks(&self, number: usize) {
        self.board.lock().unwrap().broken_acks = number;
    }

    /// Something for acme's `role` about `task`.
    pub(super) fn notify(&self, id: &str, role: &str, task: Option<&str>) {
        self.notify_as(json!({
            "notification_id": id,
            "user_id": "acme",
            "session_key": format!("user:acme:{role}"),
            "content": format!("This is {id}"),
            "task_id": task,
            "metadata": {"origin": "test"},
        }));
    }

    pub(super) fn notify_as(&self, body: Value) {
        let mut board = self.board.lock().unwrap();
        board.notifications.push(Notification {
            body,
            delivered: false,
            dead: false,
        });
    }

    /// A task that was there before.
    pub(super) fn add_task(&self, title: &str) {
        let mut board = self.board.lock().unwrap();
        board.add(
            "tasks",
            json!({"title": title, "status": "in_progress"}),
            "acme",
        );
    }

    /// Ids of what was acknowledged.
    pub(super) fn delivered(&self) -> Vec<String> {
        let board = self.board.lock().unwrap();
        let delivered = board.notifications.iter().filter(|it| it.delivered);
        delivered
            .map(|it| it.body["notification_id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(super) fn rows(&self, kind: &'static str) -> Vec<Value> {
        let board = self.board.lock().unwrap();
        board.rows.get(kind).cloned().unwrap_or_default()
    }

    /// How often a request was made that contains this.
    pub(super) fn count(&self, text: &str) -> usize {
        let board = self.board.lock().unwrap();
        board.asked.iter().filter(|it| it.contains(text)).count()
    }

    pub(super) fn looks(&self) -> Vec<HashMap<String, String>> {
        self.board.lock().unwrap().looks.clone()
    }

    /// What was sent to a route: by whom, and what.
    pub(super) fn calls(&self, route: &str) -> Vec<(String, Value)> {
        let board = self.board.lock().unwrap();
        let of_route = board.calls.iter().filter(|(to, _, _)| to == route);
        of_route
            .map(|(_, who, body)| (who.clone(), body.clone()))
            .collect()
    }
}

impl Board {
    fn answer(&mut self, asked: &Asked) -> Reply {
        self.asked.push(format!("{} {}", asked.method, asked.path));
        let Some(path) = asked.path.strip_prefix("/api/mission-control/") else {
            return missing();
        };
        let parts: Vec<&str> = path.split('/').collect();
        if let ["dispatch", rest @ ..] = parts.as_slice() {
            if asked.header("x-internal-token") != Some(INTERNAL_TOKEN) {
                return refused(401, "no internal token");
            }
            return self.dispatch(asked, rest);
        }
        if (asked.method.as_str(), parts.as_slice()) == ("POST", &["standup"])
            && asked.header("x-internal-token") == Some(INTERNAL_TOKEN)
        {
            return self.called("standup", "everybody", asked);
        }
        let Some((user, role)) = asked.header("x-agent-token").and_then(claims) else {
            return refused(401, "no agent token");
        };
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["capabilities"]) => (
                200,
                json!({"contract_version": "v1", "features": {"tasks": true, "messages": true}}),
                None,
            ),
            ("GET", ["tasks"]) => self.list(asked, &user),
            ("POST", ["tasks"]) => self.create("tasks", &["title"], asked, &user),
            ("POST", ["messages"]) => {
                self.create("messages", &["task_id", "content"], asked, &user)
            }
            ("POST", ["documents"]) => {
                self.create("documents", &["task_id", "title", "content"], asked, &user)
            }
            ("POST", ["heartbeat"]) => self.called("heartbeat", &format!("{user}/{role}"), asked),
            ("POST", ["standup"]) => self.called("standup", &format!("{user}/{role}"), asked),
            _ => missing(),
        }
    }

    fn list(&self, asked: &Asked, user: &str) -> Reply {
        let limit = asked.query.get("limit").and_then(|it| it.parse().ok());
        let limit = limit.unwrap_or(PAGE).clamp(1, PAGE);
        let rows = self.rows.get("tasks").into_iter().flatten();
        let items: Vec<&Value> = rows
            .filter(|it| it["user_id"] == user)
            .take(limit)
            .collect();
        (200, json!({ "items": items }), None)
    }

    fn create(&mut self, kind: &'static str, needed: &[&str], asked: &Asked, user: &str) -> Reply {
        let body = &asked.body;
        if needed
            .iter()
            .any(|name| body[name].as_str().unwrap_or_default().is_empty())
        {
            return refused(400, "a member is missing");
        }
        let Some(key) = body["idempotency_key"].as_str() else {
            return (200, self.add(kind, body.clone(), user), None);
        };
        // The body as it was written: members in another order make another body.
        let written = body.to_string();
        if let Some((before, answer)) = self.keys.get(&(kind, key.to_owned())) {
            if *before == written {
                return (200, answer.clone(), None);
            }
            return refused(409, "the key was used for something else");
        }
        let made = self.add(kind, body.clone(), user);
        self.keys
            .insert((kind, key.to_owned()), (written, made.clone()));
        (200, made, None)
    }

    fn add(&mut self, kind: &'static str, mut body: Value, user: &str) -> Value {
        let rows = self.rows.entry(kind).or_default();
        body["id"] = json!(format!("{kind}-{}", rows.len() + 1));
        body["user_id"] = json!(user);
        rows.push(body.clone());
        body
    }

    fn called(&mut self, route: &str, who: &str, asked: &Asked) -> Reply {
        let call = (route.to_owned(), who.to_owned(), asked.body.clone());
        self.calls.push(call);
        (200, json!({"ok": true, "route": route}), None)
    }

    fn dispatch(&mut self, asked: &Asked, rest: &[&str]) -> Reply {
        match (asked.method.as_str(), rest) {
            ("GET", ["undelivered"]) => {
                self.looks.push(asked.query.clone());
                let number = |name: &str| asked.query.get(name)?.parse::<usize>().ok();
                let each = number("limit_notifications").unwrap_or(25);
                let open = self.notifications.iter();
                let open: Vec<&Value> = open
                    .filter(|it| !it.delivered && !it.dead)
                    .map(|it| &it.body)
                    .take(each)
                    .collect();
                (200, json!({ "deliveries": open }), None)
            }
            ("POST", ["notifications", id, what @ ("deliver" | "fail")]) => {
                if *what == "fail" && !self.keeps_failures {
                    return missing();
                }
                if *what == "deliver" && self.broken_acks > 0 {
                    self.broken_acks -= 1;
                    return refused(500, "the disk is on fire");
                }
                let user = asked.query.get("user_id").cloned().unwrap_or_default();
                let is_it = |it: &&mut Notification| {
                    it.body["notification_id"] == **id && it.body["user_id"] == user
                };
                let Some(found) = self.notifications.iter_mut().find(is_it) else {
                    return refused(404, "no such notification");
                };
                if *what == "deliver" {
                    found.delivered = true;
                } else {
                    found.dead = asked.body["retryable"] == false;
                    return self.called("fail", id, asked);
                }
                (200, json!({"status": "ok"}), None)
            }
            _ => missing(),
        }
    }
}

/// Who a token speaks for, when it is signed with the secret.
fn claims(token: &str) -> Option<(String, String)> {
    let (message, signature) = token.rsplit_once('.')?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, JWT_SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(&key, message.as_bytes(), &signature).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(message.split_once('.')?.1).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    (claims["type"] == "agent").then_some((text("user_id")?, text("agent_role")?))
}

fn refused(status: u16, error: &str) -> Reply {
    (status, json!({ "error": error }), None)
}

/// As the originals' framework says it.
fn missing() -> Reply {
    let body = json!({"statusCode": 404, "error": "Not Found", "message": "Route not found"});
    (404, body, None)
}
