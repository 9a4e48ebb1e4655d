//! Many writers at once, and the books of what they wrote.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How many write at once, two of them with the same keys.
const WRITERS: usize = 16;

/// Numbers that look random and are the same in every run.
pub(super) struct Seeded(pub u64);

impl Seeded {
    /// A number below `end` (splitmix64).
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

/// Something that was sent once or more often with one key.
#[derive(Debug, Clone)]
pub(super) struct Create {
    path: &'static str,
    body: Value,
    /// The answer that it got, if it got one.
    reply: Option<String>,
}

/// Who writes, where to, and every create there was, by its key.
pub(super) struct Load {
    client: Client,
    token: String,
    /// Where messages go.
    task: String,
    books: Mutex<BTreeMap<String, Create>>,
    acknowledged: watch::Sender<usize>,
}

impl Load {
    pub(super) fn new(client: Client, token: String, task: String) -> Self {
        Self {
            client,
            token,
            task,
            books: Mutex::default(),
            acknowledged: watch::Sender::new(0),
        }
    }

    /// Writes until the server is gone; keys begin with `name`.
    pub(super) async fn write(&self, url: &str, name: &str) {
        let writers = (0..WRITERS).map(async |writer| {
            for number in 0.. {
                let key = format!("{name}-{}-{number}", writer % (WRITERS / 2));
                let create = self.create(&key, number);
                if !self.send(url, key, create).await {
                    return;
                }
            }
        });
        join_all(writers).await;
    }

    /// Waits until so many more creates were acknowledged.
    pub(super) async fn acknowledged(&self, more: usize) {
        let mut count = self.acknowledged.subscribe();
        let wanted = *count.borrow_and_update() + more;
        tokio::time::timeout(
            crate::support::wait::PATIENCE,
            count.wait_for(|count| *count >= wanted),
        )
        .await
        .expect("writes are acknowledged in time")
        .expect("somebody counts");
    }

    /// Sends every create again whose key begins with `name`: each is answered, and as before.
    pub(super) async fn send_again(&self, url: &str, name: &str) {
        let mut all = self.books();
        all.retain(|key, _| key.starts_with(name));
        let sends = stream::iter(all).map(|(key, create)| self.send(url, key, create));
        let answered: Vec<bool> = sends.buffer_unordered(WRITERS).collect().await;
        assert!(answered.iter().all(|it| *it), "the server answers");
    }

    fn create(&self, key: &str, number: usize) -> Create {
        let (path, mut body) = if number.is_multiple_of(2) {
            ("tasks", json!({"title": key}))
        } else {
            ("messages", json!({"task_id": self.task, "content": key}))
        };
        body["idempotency_key"] = json!(key);
        Create {
            path,
            body,
            reply: None,
        }
    }

    /// Whether it was answered; an answer must be the one that others got.
    async fn send(&self, url: &str, key: String, mut create: Create) -> bool {
        let request = self
            .client
            .post(format!("{url}/api/mission-control/{}", create.path))
            .header("X-Agent-Token", &self.token)
            .header("content-type", "application/json")
            .body(create.body.to_string());
        let reply = async {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            let text = response.text().await.ok()?;
            assert_eq!(status, 200, "{text}");
            Some(text)
        };
        let reply = reply.await;
        let answered = reply.is_some();
        let mut books = self.books.lock().unwrap();
        let known = books.get(&key).and_then(|known| known.reply.clone());
        if let (Some(known), Some(reply)) = (&known, &reply) {
            assert_eq!(known, reply, "{key} has two answers");
        }
        create.reply = reply.or(known);
        books.insert(key, create);
        drop(books);
        if answered {
            self.acknowledged.send_modify(|count| *count += 1);
        }
        answered
    }

    fn books(&self) -> BTreeMap<String, Create> {
        self.books.lock().unwrap().clone()
    }

    /// The ids that the answers to creates of this kind gave, by key.
    pub(super) fn ids(&self, path: &str) -> BTreeMap<String, String> {
        self.books()
            .into_iter()
            .filter(|(_, create)| create.path == path)
            .map(|(key, create)| {
                let reply: Value = serde_json::from_str(&create.reply.expect("an answer")).unwrap();
                (key, reply["id"].as_str().unwrap().to_owned())
            })
            .collect()
    }
}
