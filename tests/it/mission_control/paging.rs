//! §6: lists come in pages, newest first.

use futures::future::join_all;
use serde_json::{Value, json};

use super::world::{LISTS, World};
use crate::support::{Api, Caller, Json as _};

async fn titles(agent: &Caller, path: &str) -> Vec<String> {
    agent
        .items(path)
        .await
        .iter()
        .map(|item| item.text("title"))
        .collect()
}

#[tokio::test]
async fn a_limit_is_a_whole_number_held_between_1_and_100() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    join_all((0..103).map(|number| agent.post("tasks", json!({"title": format!("{number}")}))))
        .await;
    for (limit, expected) in [
        ("", 50),
        ("?limit=", 50),
        ("?limit=1", 1),
        ("?limit=99", 99),
        ("?limit=100", 100),
        ("?limit=101", 100),
        ("?limit=99999999999999999999", 100),
        ("?limit=0", 1),
        ("?limit=-1", 1),
        ("?limit=-99999999999999999999", 1),
    ] {
        let list = agent.get(&format!("tasks{limit}")).await.ok();
        assert_eq!(list["items"].as_array().unwrap().len(), expected, "{limit}");
        assert!(list["next_cursor"].is_string(), "{limit}");
    }
}

#[tokio::test]
async fn a_bad_limit_cursor_order_or_flag_is_400_on_every_list() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    World::fill(&agent).await;
    for list in LISTS {
        let list = list.split('?').next().unwrap();
        for (name, values) in [
            ("limit", ["abc", "1.5", "1e2", "%20", "0x10", "--1"]),
            ("cursor", ["abc", "%20", "cDE", "cC0x", "cDAx", "😀"]),
            ("order", ["up", "DESC", "1", "newest", "asc,desc", "null"]),
        ] {
            for value in values {
                // `cDE` is the cursor of a place that may exist.
                if value == "cDE" {
                    continue;
                }
                let answer = agent.get(&format!("{list}?{name}={value}")).await;
                assert_eq!(answer.status, 400, "{answer:#?}");
                assert_eq!(answer.faults(), [name], "{list} {value}");
            }
        }
    }
    for flag in ["unread=maybe", "all=2"] {
        let answer = agent.get(&format!("notifications?{flag}")).await;
        assert_eq!(answer.faults(), [flag.split('=').next().unwrap()]);
    }
    assert_eq!(
        agent.get("tool-requests?status=open").await.faults(),
        ["status"]
    );
}

/// Posts one more of what a list shows; `number` tells it apart.
async fn one_more(agent: &Caller, list: &str, task: &str, number: usize) -> String {
    let text = format!("{number:03}");
    let body = match list {
        "tasks" => json!({"title": text}),
        "messages" => json!({"task_id": task, "content": text}),
        "documents" => json!({"task_id": task, "title": text, "content": ""}),
        "notifications" => json!({"agent_role": "editor", "content": text}),
        _ => json!({"title": text, "justification": "J"}),
    };
    agent.post(list, body).await.ok().id()
}

#[tokio::test]
async fn every_list_is_newest_first_and_its_pages_stand_still_while_rows_are_added() {
    let api = Api::start();
    for list in [
        "tasks",
        "messages",
        "documents",
        "notifications",
        "tool-requests",
    ] {
        let agent = api.agent(&format!("tenant of {list}"), "writer");
        let task = agent.task("the task").await;
        let mut made = if list == "tasks" {
            vec![task.clone()]
        } else {
            Vec::new()
        };
        for number in 0..12 {
            made.push(one_more(&agent, list, &task, number).await);
        }
        made.reverse();
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = agent
                .get(&format!("{list}?all=true&limit=4&cursor={cursor}"))
                .await
                .ok();
            for item in page["items"].as_array().unwrap() {
                seen.push(item.id());
            }
            pages += 1;
            one_more(&agent, list, &task, 100 + pages).await;
            match &page["next_cursor"] {
                Value::Null => break,
                next => next.as_str().unwrap().clone_into(&mut cursor),
            }
        }
        assert_eq!(seen, made, "{list}");
        assert_eq!(
            pages,
            made.len().div_ceil(4),
            "{list}: no empty page at the end"
        );
        let newest = agent.items(&format!("{list}?all=true&limit=1")).await;
        assert!(!made.contains(&newest[0].id()), "{list}");
    }
}

#[tokio::test]
async fn rows_of_the_same_moment_are_neither_lost_nor_repeated() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    join_all((0..60).map(|number| agent.post("tasks", json!({"title": format!("{number:02}")}))))
        .await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = agent
            .get(&format!("tasks?limit=7&cursor={cursor}"))
            .await
            .ok();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item.text("title")),
        );
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 60);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60);
}

#[tokio::test]
async fn a_new_task_is_on_the_first_page_however_many_there_are() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    join_all((0..70).map(|number| agent.post("tasks", json!({"title": format!("{number}")}))))
        .await;
    agent.task("the newest").await;
    assert_eq!(titles(&agent, "tasks?limit=50").await[0], "the newest");
}

#[tokio::test]
async fn messages_come_oldest_first_when_asked() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    for number in 0..5 {
        one_more(&agent, "messages", &task, number).await;
    }
    let contents = async |query: &str| -> Vec<String> {
        let items = agent
            .items(&format!("messages?task_id={task}&{query}"))
            .await;
        items.iter().map(|item| item.text("content")).collect()
    };
    assert_eq!(
        contents("order=asc").await,
        ["000", "001", "002", "003", "004"]
    );
    assert_eq!(
        contents("order=desc").await,
        ["004", "003", "002", "001", "000"]
    );
    let first = agent
        .get(&format!("messages?task_id={task}&order=asc&limit=3"))
        .await
        .ok();
    let next = first.text("next_cursor");
    assert_eq!(
        contents(&format!("order=asc&cursor={next}")).await,
        ["003", "004"]
    );
}
