//! §11: what a turn did, step by step.

use serde_json::{Value, json};
use stationmaster_testkit::model::Step;

use super::crew::{Crew, refused, turn, turn_without};
use crate::support::Json as _;

fn kinds(trace: &Value) -> Vec<String> {
    let steps = trace["steps"].as_array().unwrap();
    steps.iter().map(|step| step.text("type")).collect()
}

async fn show(crew: &Crew, id: &str) -> Value {
    let path = format!("/traces/{id}?tenant_id=acme");
    crew.api.stranger().get(&path).await.ok()
}

/// The traces that a list shows, by what `member` of them says.
async fn list(crew: &Crew, query: &str, member: &str) -> Vec<String> {
    let path = format!("/traces?tenant_id=acme&{query}");
    let page = crew.api.stranger().get(&path).await.ok();
    let traces = page["traces"].as_array().unwrap();
    traces.iter().map(|trace| trace.text(member)).collect()
}

#[tokio::test]
async fn a_turn_of_two_rounds_and_a_tool_is_told_step_by_step() {
    let crew = Crew::start();
    crew.model.set_usage(200, 50);
    crew.model
        .push(Step::tool("create_task", json!({"title": "Sub"})));
    crew.model.push(Step::text("All done."));
    let earlier = json!([{"role": "user", "content": "Hello"}]);
    let metadata = json!({"workspace_id": "school"});
    let body = turn(json!({"messages": earlier, "metadata": metadata}));
    let answer = crew.send(body).await.ok();
    let trace = show(&crew, &answer.text("trace_id")).await;

    assert_eq!(trace["id"], answer["trace_id"]);
    assert_eq!(trace["tenantId"], "acme");
    assert_eq!(trace["workspaceId"], "school");
    assert_eq!(trace["agentRole"], "writer");
    assert_eq!(trace["status"], "completed");
    assert_eq!(trace["model"], "gpt-4o-mini");
    assert_eq!(trace["provider"], "openai");
    assert_eq!(trace["taskId"], answer["task_id"]);
    assert_eq!(trace["messageId"], answer["message_id"]);
    assert_eq!(trace["error"], Value::Null);
    assert_eq!(trace["labels"], json!({}));
    assert_eq!(
        trace["input"],
        json!({"message": "Write the plan", "messageHistory": 1})
    );
    assert_eq!(trace["output"]["message"], "All done.");
    assert_eq!(trace["output"]["toolCalls"][0]["name"], "create_task");
    let usage = &trace["usage"];
    assert_eq!(
        (&usage["inputTokens"], &usage["outputTokens"]),
        (&json!(400), &json!(100))
    );
    assert_eq!(usage["totalCost"], answer["cost"]["totalCost"]);

    assert_eq!(
        kinds(&trace),
        ["llm_call", "tool_call", "tool_result", "llm_call"]
    );
    let steps = trace["steps"].as_array().unwrap();
    let first = &steps[0]["data"];
    assert_eq!(first["provider"], "openai");
    assert_eq!(
        (&first["inputTokens"], &first["outputTokens"]),
        (&json!(200), &json!(50))
    );
    assert_eq!(
        (&first["hasToolCalls"], &first["finishReason"]),
        (&json!(true), &json!("tool_calls"))
    );
    assert_eq!(steps[1]["data"]["toolName"], "create_task");
    assert_eq!(steps[1]["data"]["arguments"], json!({"title": "Sub"}));
    assert_eq!(steps[1]["data"]["permitted"], true);
    assert_eq!(steps[2]["data"]["success"], true);
    assert_eq!(
        steps[2]["data"]["toolCallId"],
        steps[1]["data"]["toolCallId"]
    );
    let last = &steps[3]["data"];
    assert_eq!(
        (&last["inputTokens"], &last["outputTokens"]),
        (&json!(200), &json!(50))
    );
    assert_eq!(
        (&last["hasToolCalls"], &last["finishReason"]),
        (&json!(false), &json!("stop"))
    );
    let cost = |step: &Value| step["data"]["cost"].as_f64().unwrap();
    let sum = cost(&steps[0]) + cost(&steps[3]);
    assert!(
        (sum - usage["totalCost"].as_f64().unwrap()).abs() < 1e-9,
        "{trace}"
    );
    // Times are in order and within the turn.
    let mut times = vec![trace.text("startedAt")];
    times.extend(steps.iter().map(|step| step.text("timestamp")));
    times.push(trace.text("completedAt"));
    assert!(times.is_sorted(), "{times:?}");
    assert!(trace["durationMs"].as_u64().is_some(), "{trace}");
}

#[tokio::test]
async fn what_went_wrong_is_part_of_a_trace() {
    let crew = Crew::start();
    crew.model.push(Step::tool("no_such_tool", json!({})));
    crew.model.always(Step::status(400));
    let answer = crew.send(turn(json!({}))).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let ids = list(&crew, "", "id").await;
    let trace = show(&crew, &ids[0]).await;
    assert_eq!(trace["status"], "failed");
    assert_eq!(trace["output"], Value::Null);
    assert_eq!(
        kinds(&trace),
        ["llm_call", "tool_call", "tool_result", "error"]
    );
    let steps = trace["steps"].as_array().unwrap();
    assert_eq!(steps[1]["data"]["permitted"], false);
    assert!(steps[1]["data"]["permissionReason"].is_string(), "{trace}");
    assert_eq!(steps[2]["data"]["success"], false);
    assert!(steps[2]["data"]["error"].is_string(), "{trace}");
    assert_eq!(steps[3]["data"]["message"], trace["error"]);
    assert!(trace["error"].is_string(), "{trace}");
}

#[tokio::test]
async fn a_list_shows_the_last_first_and_what_was_asked_for() {
    let crew = Crew::start();
    for (role, workspace) in [("writer", "a"), ("editor", "b"), ("writer", "b")] {
        let body = turn(json!({
            "session_key": format!("user:acme:{role}"),
            "metadata": {"workspace_id": workspace},
        }));
        crew.send(body).await.ok();
    }
    let usual = crew.send(turn(json!({}))).await.ok();
    let all = list(&crew, "", "id").await;
    assert_eq!((all.len(), &all[0]), (4, &usual.text("trace_id")));
    assert_eq!(
        list(&crew, "", "workspaceId").await,
        ["default", "b", "b", "a"]
    );
    assert_eq!(
        list(&crew, "workspace_id=b", "agentRole").await,
        ["writer", "editor"]
    );
    assert_eq!(list(&crew, "workspace_id=default", "id").await, all[..1]);
    assert_eq!(list(&crew, "agent_role=editor", "id").await, all[2..3]);
    assert_eq!(list(&crew, "agent_role=nobody", "id").await, [""; 0]);
    assert_eq!(list(&crew, "start_date=2000-01-01", "id").await, all);
    assert_eq!(list(&crew, "end_date=2000-01-01", "id").await, [""; 0]);
    let first = show(&crew, &all[3]).await.text("startedAt");
    let until = format!("end_date={first}&start_date={first}");
    assert!(list(&crew, &until, "id").await.contains(&all[3]));

    let caller = crew.api.stranger();
    let page = caller.get("/traces?tenant_id=acme&limit=3").await.ok();
    assert_eq!(
        (&page["total"], &page["hasMore"]),
        (&json!(4), &json!(true))
    );
    // A list is of heads: what was said and done is in the trace itself.
    assert!(page["traces"][0].get("steps").is_none(), "{page}");
    let page = caller
        .get("/traces?tenant_id=acme&limit=3&offset=3")
        .await
        .ok();
    assert_eq!(
        (&page["total"], &page["hasMore"]),
        (&json!(4), &json!(false))
    );
    assert_eq!(page["traces"][0]["id"], all[3].as_str());
    assert_eq!(page["traces"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn turns_that_share_a_trace_are_told_apart_by_their_own_ids() {
    let crew = Crew::start();
    let caller = crew.api.stranger().header("X-Trace-Id", "one-journey");
    for message in ["First", "Second"] {
        let body = turn(json!({"message": message}));
        let answer = caller.post(super::crew::SEND, body).await;
        assert_eq!(answer.ok()["trace_id"], "one-journey");
    }
    let latest = show(&crew, "one-journey").await;
    assert_eq!(latest["input"]["message"], "Second");
    let runs = list(&crew, "", "runId").await;
    assert_eq!(latest["runId"], runs[0].as_str());
    let earlier = show(&crew, &runs[1]).await;
    assert_eq!(earlier["input"]["message"], "First");
    assert_eq!(earlier["id"], "one-journey");
}

#[tokio::test]
async fn traces_of_other_tenants_look_like_missing_ones() {
    let crew = Crew::start();
    let trace = crew.send(turn(json!({}))).await.ok().text("trace_id");
    let caller = crew.api.stranger();
    for path in [
        format!("/traces/{trace}?tenant_id=globex"),
        "/traces/missing?tenant_id=acme".to_owned(),
        "/traces/%00?tenant_id=globex".to_owned(),
    ] {
        let answer = caller.get(&path).await;
        if path.contains("%00") {
            refused(&answer, 400, "invalid_request");
        } else {
            refused(&answer, 404, "trace_not_found");
        }
    }
    let page = caller.get("/traces?tenant_id=globex").await.ok();
    assert_eq!(page["total"], 0);
}

#[tokio::test]
async fn every_problem_of_a_query_is_named() {
    let crew = Crew::start();
    let caller = crew.api.stranger();
    for (query, fields) in [
        ("", vec!["tenant_id"]),
        ("tenant_id=", vec!["tenant_id"]),
        (
            "tenant_id=acme&limit=x&offset=-&start_date=now&end_date=2026-02-30&agent_role=..",
            vec!["agent_role", "start_date", "end_date", "limit", "offset"],
        ),
    ] {
        let answer = caller.get(&format!("/traces?{query}")).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let errors = answer.json()["details"]["errors"].clone();
        let errors = errors.as_array().unwrap().clone();
        let named: Vec<String> = errors.iter().map(|it| it.text("field")).collect();
        assert_eq!(named, fields, "{query}");
    }
    let answer = caller.get("/traces/x").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let body = turn(json!({"metadata": {"workspace_id": "x".repeat(256)}}));
    let answer = crew.send(body).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(list(&crew, "", "id").await, [""; 0]);
}

#[tokio::test]
async fn a_turn_that_never_began_leaves_no_trace() {
    let crew = Crew::start();
    let answer = crew.send(turn_without("message", json!({}))).await;
    assert_eq!(answer.status, 400);
    assert_eq!(list(&crew, "", "id").await, [""; 0]);
}
