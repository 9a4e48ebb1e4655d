//! §12: what an agent may not do without asking.

use serde_json::{Value, json};

use crate::support::api::JWT_SECRET;
use crate::support::jwt::hs256;
use crate::support::{Api, Caller, Json as _};

async fn ask(agent: &Caller) -> Value {
    let body = json!({"title": "Deploy", "justification": "It is ready"});
    agent.post("tool-requests", body).await.ok()
}

fn path(request: &Value) -> String {
    format!("tool-requests/{}", request.id())
}

#[tokio::test]
async fn a_request_waits_at_medium_risk_unless_it_says_otherwise() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let request = ask(&agent).await;
    let expected = json!({
        "id": request["id"],
        "user_id": "acme",
        "agent_role": "writer",
        "task_id": null,
        "title": "Deploy",
        "justification": "It is ready",
        "interface": null,
        "scope": null,
        "risk_level": "medium",
        "status": "pending",
        "created_at": request["created_at"],
        "decided_at": null,
        "decided_by": null,
        "decision_note": null,
    });
    assert_eq!(request, expected);
    assert!(super::is_utc_time(&request.text("created_at")));
    let task = agent.task("T").await;
    for (interface, risk) in [
        (json!("kubectl apply"), "low"),
        (json!({"command": ["a", 1]}), "medium"),
        (Value::Null, "high"),
    ] {
        let given = json!({"title": "T", "justification": "J", "interface": interface,
            "scope": "production", "risk_level": risk, "task_id": task, "status": "approved"});
        let made = agent.post("tool-requests", given.clone()).await.ok();
        for name in ["interface", "scope", "risk_level", "task_id"] {
            assert_eq!(made[name], given[name], "{name}");
        }
        assert_eq!(made["status"], "pending");
        assert_eq!(agent.get(&path(&made)).await.ok(), made);
    }
    agent
        .get("tool-requests/none")
        .await
        .refused(404, "tool_request_not_found");
    for other in [api.internal(), api.operator()] {
        let body = json!({"title": "T", "justification": "J", "user_id": "acme"});
        other
            .post("tool-requests", body)
            .await
            .refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn an_agent_decides_nothing_and_withdraws_only_what_is_its_own() {
    let api = Api::start();
    let (writer, editor) = (api.agent("acme", "writer"), api.agent("acme", "editor"));
    let request = ask(&writer).await;
    for agent in [&writer, &editor, &api.agent("globex", "writer")] {
        for status in ["approved", "denied"] {
            let answer = agent
                .patch(&path(&request), json!({"status": status}))
                .await;
            answer.refused(403, "forbidden");
            let body = json!({"id": request.id(), "status": status});
            agent
                .patch("tool-requests", body)
                .await
                .refused(403, "forbidden");
        }
    }
    let withdraw = json!({"status": "withdrawn", "note": "never mind"});
    let answer = editor.patch(&path(&request), withdraw.clone()).await;
    answer.refused(403, "forbidden");
    assert_eq!(writer.get(&path(&request)).await.ok(), request);
    let withdrawn = writer.patch(&path(&request), withdraw.clone()).await.ok();
    assert_eq!(withdrawn["status"], "withdrawn");
    assert_eq!(withdrawn["decision_note"], "never mind");
    let again = writer.patch(&path(&request), withdraw).await;
    again.refused(409, "already_decided");
    let late = api
        .operator()
        .patch(&path(&request), json!({"status": "approved"}))
        .await;
    late.refused(409, "already_decided");
}

#[tokio::test]
async fn an_operator_or_the_internal_token_decides_once_and_the_asker_is_told() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let jwt = |role: &str| hs256(&json!({"sub": "ann", "role": role}), JWT_SECRET);
    let bearer = |token: &str| api.stranger().bearer(token);
    let deciders = [
        (api.operator(), "approved", "operator"),
        (api.operator().header("X-User-ID", "bob"), "denied", "bob"),
        (bearer(&jwt("admin")), "approved", "ann"),
        (bearer(&jwt("operator")), "denied", "ann"),
        (api.internal(), "approved", "internal"),
    ];
    for (number, (decider, status, by)) in (1..).zip(deciders) {
        let request = ask(&agent).await;
        let body = json!({"status": status, "note": "because"});
        let decided = if number % 2 == 0 {
            let mut named = body.clone();
            named["id"] = request["id"].clone();
            decider.patch("tool-requests", named).await.ok()
        } else {
            decider.patch(&path(&request), body.clone()).await.ok()
        };
        let mut expected = request.clone();
        expected["status"] = json!(status);
        expected["decided_by"] = json!(by);
        expected["decision_note"] = json!("because");
        expected["decided_at"] = decided["decided_at"].clone();
        assert_eq!(decided, expected);
        assert!(super::is_utc_time(&decided.text("decided_at")));
        assert_eq!(agent.get(&path(&request)).await.ok(), decided);

        let told = agent.items("notifications").await;
        assert_eq!(told.len(), number);
        assert_eq!(
            (&told[0]["type"], &told[0]["agent_role"]),
            (&json!("system"), &json!("writer"))
        );
        assert!(told[0].text("content").contains(&request.id()), "{told:?}");
        assert!(told[0].text("content").contains(status), "{told:?}");

        for status in ["approved", "denied", "withdrawn"] {
            let again = decider
                .patch(&path(&request), json!({"status": status}))
                .await;
            again.refused(409, "already_decided");
        }
        assert_eq!(agent.get(&path(&request)).await.ok(), decided);
        assert_eq!(agent.items("notifications").await.len(), number);
    }
    for role in ["developer", "observer", "agent", ""] {
        let request = ask(&agent).await;
        let body = json!({"status": "approved"});
        bearer(&jwt(role))
            .patch(&path(&request), body)
            .await
            .refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_decision_that_says_nothing_is_400() {
    let api = Api::start();
    let request = ask(&api.agent("acme", "writer")).await;
    let operator = api.operator();
    for (body, field) in [
        (json!({}), "status"),
        (json!({"status": null}), "status"),
        (json!({"status": ""}), "status"),
        (json!({"status": "pending"}), "status"),
        (json!({"status": "maybe"}), "status"),
        (json!({"status": true}), "status"),
        (json!({"status": "approved", "note": 1}), "note"),
    ] {
        assert_eq!(
            operator.patch(&path(&request), body.clone()).await.faults(),
            [field],
            "{body}"
        );
        let mut named = body;
        named["id"] = request["id"].clone();
        assert_eq!(
            operator.patch("tool-requests", named).await.faults(),
            [field]
        );
    }
    for id in [json!(null), json!(""), json!(1)] {
        let body = json!({"id": id, "status": "approved"});
        assert_eq!(operator.patch("tool-requests", body).await.faults(), ["id"]);
    }
    let unknown = operator
        .patch("tool-requests/none", json!({"status": "approved"}))
        .await;
    unknown.refused(404, "tool_request_not_found");
}

#[tokio::test]
async fn requests_are_listed_by_status_and_task_and_an_operator_sees_every_users() {
    let api = Api::start();
    let (acme, globex) = (api.agent("acme", "writer"), api.agent("globex", "writer"));
    let task = acme.task("T").await;
    let mut made = Vec::new();
    for status in ["approved", "denied", "withdrawn"] {
        let request = ask(&acme).await;
        let decided = api
            .operator()
            .patch(&path(&request), json!({"status": status}))
            .await;
        made.push(decided.ok());
    }
    let body = json!({"title": "T", "justification": "J", "task_id": task});
    made.push(acme.post("tool-requests", body).await.ok());
    let theirs = ask(&globex).await;
    for (query, expected) in [
        ("status=approved".to_owned(), vec![&made[0]]),
        ("status=denied".to_owned(), vec![&made[1]]),
        ("status=withdrawn".to_owned(), vec![&made[2]]),
        ("status=pending".to_owned(), vec![&made[3]]),
        (format!("task_id={task}"), vec![&made[3]]),
        (format!("task_id={task}&status=denied"), vec![]),
        ("task_id=none".to_owned(), vec![]),
        (String::new(), vec![&made[3], &made[2], &made[1], &made[0]]),
    ] {
        let found = acme.items(&format!("tool-requests?{query}")).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for all in [api.operator(), api.internal()] {
        assert_eq!(all.items("tool-requests").await.len(), 5);
        assert_eq!(
            all.items("tool-requests?user_id=globex").await,
            std::slice::from_ref(&theirs)
        );
        assert_eq!(all.get(&path(&theirs)).await.ok(), theirs);
    }
}
