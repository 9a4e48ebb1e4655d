//! Each command makes the request that the contract names: a table of all of them.

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

const AGENT: &str = "Bearer mc_agt_jordan";
const OPERATOR: &str = "Bearer mc_adm_boss";

/// Times that the program made up are not compared.
fn without_times(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(time) = body.get_mut("startedAt") {
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        *time = json!("TIME");
    }
    body
}

/// Runs a command line, cut at `|`, and compares the one request it makes.
#[track_caller]
fn check(line: &str, bearer: &str, method: &str, path: &str, body: Value) {
    let stub = Stub::saying(Answer::ok(
        json!({"id": "x_1", "status": "APPROVED", "decision": "ALLOW", "token": "t"}),
    ));
    let mc = Mc::new(&stub)
        .with("MC_SESSION_KEY", "s1")
        .with("MC_WORKSPACE", "/w");
    mc.write("text.md", "The text.\n");
    mc.write(
        "list.json",
        r#"{"type":"CONTENT","items":[{"label":"a","checked":true}]}"#,
    );
    mc.write("rules.toml", "a = 1\n");
    mc.write("rules.json", r#"{"a":1}"#);
    let arguments: Vec<&str> = line.split('|').map(str::trim).collect();
    mc.run(&arguments).ended(0);
    let seen = stub.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        (method, path),
        "{line}"
    );
    assert_eq!(seen.header("authorization"), Some(bearer), "{line}");
    assert_eq!(without_times(&seen.body), body, "{line}");
    let writes = method != "GET";
    assert_eq!(seen.header("x-idempotency-key").is_some(), writes, "{line}");
    let for_agent = bearer == AGENT;
    assert_eq!(seen.header("x-agent-id").is_some(), for_agent, "{line}");
}

#[test]
fn agents() {
    check(
        "agent|register|--id|casey|--name|Casey|--emoji|🎧|--role|specialist|--workspace|/tmp/casey|--task-types|content,social|--budget-daily|5|--budget-per-run|0.75",
        OPERATOR,
        "POST",
        "/agents",
        json!({"id": "casey", "name": "Casey", "emoji": "🎧", "role": "SPECIALIST", "workspacePath": "/tmp/casey",
            "allowedTaskTypes": ["CONTENT", "SOCIAL"], "budgetDaily": 5.0, "budgetPerRun": 0.75}),
    );
    check(
        "agent|register|--id|sub|--name|Sub|--can-spawn|--max-sub-agents|2|--parent|jordan|--parent-task|task_1|--purpose|help|--heartbeat-interval|60|--tools|exec,read|--metadata|{\"a\":1}",
        OPERATOR,
        "POST",
        "/agents",
        json!({"id": "sub", "name": "Sub", "workspacePath": "/w", "allowedTools": ["exec", "read"], "heartbeatIntervalSec": 60,
            "canSpawn": true, "maxSubAgents": 2, "parentAgentId": "jordan",
            "metadata": {"parentTaskId": "task_1", "purpose": "help", "a": 1}}),
    );
    check("agent|status", AGENT, "GET", "/agents/jordan", Value::Null);
    check(
        "agent|status|casey",
        AGENT,
        "GET",
        "/agents/casey",
        Value::Null,
    );
    check(
        "agent|list|--status|active|--role|lead|--limit|5|--offset|10",
        AGENT,
        "GET",
        "/agents?status=ACTIVE&role=LEAD&limit=5&offset=10",
        Value::Null,
    );
    check(
        "agent|get|casey",
        AGENT,
        "GET",
        "/agents/casey",
        Value::Null,
    );
    check(
        "agent|update|casey|--budget-daily|9|--can-spawn|false",
        OPERATOR,
        "PATCH",
        "/agents/casey",
        json!({"budgetDaily": 9.0, "canSpawn": false}),
    );
    for (word, action) in [
        ("pause", "PAUSE"),
        ("resume", "RESUME"),
        ("drain", "DRAIN"),
        ("quarantine", "QUARANTINE"),
        ("restart", "RESTART"),
    ] {
        check(
            &format!("agent|{word}|casey|--reason|why|--duration|2h"),
            OPERATOR,
            "POST",
            "/agents/casey/control",
            json!({"action": action, "reason": "why", "duration": "2h"}),
        );
    }
    check(
        "agent|token|casey|--expires-in|7d|--keep-others",
        OPERATOR,
        "POST",
        "/agents/casey/tokens",
        json!({"expiresIn": "7d", "revokeOthers": false}),
    );
    check(
        "agent|revoke-token|casey|tok_1",
        OPERATOR,
        "DELETE",
        "/agents/casey/tokens/tok_1",
        Value::Null,
    );
}

#[test]
fn heartbeats() {
    check(
        "heartbeat|--status|HEALTHY",
        AGENT,
        "POST",
        "/agents/jordan/heartbeat",
        json!({"status": "HEALTHY", "sessionKey": "s1"}),
    );
    check(
        "heartbeat|--status|error|--task|task_1|--session|s2|--error|disk full|--ack|notif_1,notif_2",
        AGENT,
        "POST",
        "/agents/jordan/heartbeat",
        json!({"status": "ERROR", "sessionKey": "s2", "currentTaskId": "task_1", "error": "disk full",
            "ackNotificationIds": ["notif_1", "notif_2"]}),
    );
}

#[test]
fn tasks() {
    check(
        "task|list|--status|INBOX,assigned|--type|CONTENT|--limit|5|--assignee|me|--priority|high|--search|a b&c|--offset|1|--sort|-updatedAt|--label|x,y",
        AGENT,
        "GET",
        "/tasks?status=INBOX,ASSIGNED&type=CONTENT&assigneeId=me&priority=2&labels=x,y&search=a%20b%26c&orderBy=updatedAt&orderDir=desc&limit=5&offset=1",
        Value::Null,
    );
    check(
        "task|get|task_1",
        AGENT,
        "GET",
        "/tasks/task_1",
        Value::Null,
    );
    check(
        "task|get|task_1|--thread",
        AGENT,
        "GET",
        "/tasks/task_1/messages?limit=200",
        Value::Null,
    );
    check(
        "task|create|--title|T|--type|content|--description|D|--priority|1|--assign|jordan,casey|--due|2026-12-01|--label|a|--label|b|--parent|task_0|--reviewer|lee|--estimated-cost|1|--budget|2",
        AGENT,
        "POST",
        "/tasks",
        json!({"title": "T", "type": "CONTENT", "description": "D", "priority": 1, "assigneeIds": ["jordan", "casey"],
            "reviewerId": "lee", "dueAt": "2026-12-01T23:59:59Z", "labels": ["a", "b"], "parentTaskId": "task_0",
            "estimatedCost": 1.0, "budget": 2.0}),
    );
    check(
        "task|create|--title|T|--type|ops|--admin",
        OPERATOR,
        "POST",
        "/tasks",
        json!({"title": "T", "type": "OPS"}),
    );
    check(
        "task|claim|task_1",
        AGENT,
        "PATCH",
        "/tasks/task_1",
        json!({"assigneeIds": ["jordan"]}),
    );
    check(
        "task|start|task_1|--plan|1. Look\\n2. Do\\n3. Check|--estimated-cost|0.5|--estimated-duration|2h|--depends|task_2|--reason|go",
        AGENT,
        "POST",
        "/tasks/task_1/transition",
        json!({"toStatus": "IN_PROGRESS", "reason": "go", "workPlan": {"bullets": ["Look", "Do", "Check"], "estimatedCost": 0.5,
            "estimatedDuration": "2h", "dependencies": ["task_2"]}}),
    );
    check(
        "task|start|task_1",
        AGENT,
        "POST",
        "/tasks/task_1/transition",
        json!({"toStatus": "IN_PROGRESS"}),
    );
    check(
        "task|comment|task_1|Half way|--type|PROGRESS|--mention|casey",
        AGENT,
        "POST",
        "/tasks/task_1/messages",
        json!({"type": "PROGRESS", "content": "Half way", "mentions": ["casey"]}),
    );
    check(
        "task|artifact|task_1|--name|Draft|--file|text.md|--type|DELIVERABLE|--mime|text/markdown",
        AGENT,
        "POST",
        "/tasks/task_1/messages",
        json!({"type": "ARTIFACT", "content": "Artifact: Draft",
            "artifacts": [{"name": "Draft", "type": "DELIVERABLE", "content": "The text.\n", "mimeType": "text/markdown"}]}),
    );
    check(
        "task|artifact|task_1|--name|Film|--url|https://x/film.mp4|--note|Watch it",
        AGENT,
        "POST",
        "/tasks/task_1/messages",
        json!({"type": "ARTIFACT", "content": "Watch it",
            "artifacts": [{"name": "Film", "type": "DELIVERABLE", "url": "https://x/film.mp4"}]}),
    );
    check(
        "task|submit|task_1|--deliverable|text.md|--checklist|list.json|--summary|S|--artifact|evidence=text.md|--artifact|https://x/a/b.png?c|--reason|done",
        AGENT,
        "POST",
        "/tasks/task_1/transition",
        json!({"toStatus": "REVIEW", "reason": "done",
            "deliverable": {"content": "The text.\n", "summary": "S", "artifacts": [
                {"name": "text.md", "type": "DELIVERABLE"},
                {"name": "text.md", "type": "EVIDENCE", "content": "The text.\n"},
                {"name": "b.png", "type": "DELIVERABLE", "url": "https://x/a/b.png?c"}]},
            "reviewChecklist": {"type": "CONTENT", "items": [{"label": "a", "checked": true}]}}),
    );
    check(
        "task|submit|task_1",
        AGENT,
        "POST",
        "/tasks/task_1/transition",
        json!({"toStatus": "REVIEW"}),
    );
    check(
        "task|checklist|content",
        AGENT,
        "GET",
        "/checklists/CONTENT",
        Value::Null,
    );
    check(
        "task|report|task_1",
        AGENT,
        "GET",
        "/tasks/task_1/report",
        Value::Null,
    );
    check(
        "task|subscribe|task_1",
        AGENT,
        "POST",
        "/tasks/task_1/subscribe",
        json!({}),
    );
    check(
        "task|unsubscribe|task_1",
        AGENT,
        "DELETE",
        "/tasks/task_1/subscribe",
        Value::Null,
    );
}

#[test]
fn an_operators_tasks() {
    let moved =
        |line: &str, body: Value| check(line, OPERATOR, "POST", "/tasks/task_1/transition", body);
    moved(
        "task|approve|task_1|--note|well done",
        json!({"toStatus": "DONE", "reason": "well done"}),
    );
    moved(
        "task|reject|task_1|--feedback|shorter",
        json!({"toStatus": "IN_PROGRESS", "reason": "shorter"}),
    );
    moved(
        "task|block|task_1|--reason|waits",
        json!({"toStatus": "BLOCKED", "reason": "waits"}),
    );
    moved(
        "task|unblock|task_1|--reason|came|--to|assigned",
        json!({"toStatus": "ASSIGNED", "reason": "came"}),
    );
    moved(
        "task|cancel|task_1|--reason|no need",
        json!({"toStatus": "CANCELED", "reason": "no need"}),
    );
    moved(
        "task|transition|task_1|review|--force|--reason|stuck",
        json!({"toStatus": "REVIEW", "reason": "stuck", "force": true}),
    );
    check(
        "task|assign|task_1|--to|jordan,casey",
        OPERATOR,
        "PATCH",
        "/tasks/task_1",
        json!({"assigneeIds": ["jordan", "casey"]}),
    );
    check(
        "task|assign|task_1|--nobody",
        OPERATOR,
        "PATCH",
        "/tasks/task_1",
        json!({"assigneeIds": []}),
    );
}

#[test]
fn approvals_and_grants() {
    check(
        "approval|request|--task|task_1|--action-type|TOOL_EXEC|--summary|git push|--risk|RED|--justification|release|--rollback|revert|--estimated-cost|0.1|--expires-in|2h|--payload|{\"a\":1}|--tool-call|tc_1",
        AGENT,
        "POST",
        "/approvals",
        json!({"taskId": "task_1", "toolCallId": "tc_1", "actionType": "TOOL_EXEC", "actionSummary": "git push",
            "riskLevel": "RED", "justification": "release", "rollbackPlan": "revert", "estimatedCost": 0.1, "expiresIn": "2h",
            "actionPayload": {"a": 1}}),
    );
    check(
        "approval|check|approval_1",
        AGENT,
        "GET",
        "/approvals/approval_1",
        Value::Null,
    );
    check(
        "approval|list|--status|pending|--task|task_1|--requestor|casey|--action-type|spawn|--limit|3|--offset|4",
        AGENT,
        "GET",
        "/approvals?status=PENDING&taskId=task_1&requestorId=casey&actionType=SPAWN&limit=3&offset=4",
        Value::Null,
    );
    check(
        "approval|list|--pending",
        OPERATOR,
        "GET",
        "/approvals/pending",
        Value::Null,
    );
    check(
        "approval|approve|approval_1|--reason|go",
        OPERATOR,
        "POST",
        "/approvals/approval_1/approve",
        json!({"reason": "go"}),
    );
    check(
        "approval|approve|approval_1|--uses|unlimited|--for|8h|--any-task|--any-agent|--rule|shell_not_allowlisted:git push",
        OPERATOR,
        "POST",
        "/approvals/approval_1/approve",
        json!({"grant": {"uses": "unlimited", "for": "8h", "anyTask": true, "anyAgent": true,
            "rule": "shell_not_allowlisted:git push"}}),
    );
    check(
        "approval|approve|approval_1|--uses|3|--this-task",
        OPERATOR,
        "POST",
        "/approvals/approval_1/approve",
        json!({"grant": {"uses": 3}}),
    );
    check(
        "approval|deny|approval_1|--reason|no",
        OPERATOR,
        "POST",
        "/approvals/approval_1/deny",
        json!({"reason": "no"}),
    );
    check(
        "approval|deny|approval_1|--reason|no|--task-status|canceled",
        OPERATOR,
        "POST",
        "/approvals/approval_1/decide",
        json!({"reason": "no", "decision": "DENIED", "taskStatus": "CANCELED"}),
    );
    check(
        "approval|cancel|approval_1",
        AGENT,
        "POST",
        "/approvals/approval_1/cancel",
        json!({}),
    );
    check("grant|list", OPERATOR, "GET", "/grants", Value::Null);
    check(
        "grant|revoke|grant_1",
        OPERATOR,
        "DELETE",
        "/grants/grant_1",
        Value::Null,
    );
}

#[test]
fn policy() {
    check(
        "policy|check|--action-type|TOOL_CALL|--tool|exec|--args|{\"command\":\"ls\",\"type\":\"x\"}|--task|task_1|--estimated-cost|0.1|--approval|approval_1",
        AGENT,
        "POST",
        "/policy/evaluate",
        json!({"agentId": "jordan", "action": {"type": "TOOL_CALL", "tool": "exec", "command": "ls", "estimatedCost": 0.1},
            "context": {"taskId": "task_1", "sessionKey": "s1", "approvalId": "approval_1"}}),
    );
    check(
        "policy|show|--scope|agent|--scope-id|jordan",
        AGENT,
        "GET",
        "/policy/active?scope=AGENT&scopeId=jordan",
        Value::Null,
    );
    check(
        "policy|test|rules.toml|--last|50",
        OPERATOR,
        "POST",
        "/policy/test",
        json!({"toml": "a = 1\n", "last": 50}),
    );
    check(
        "policy|versions",
        OPERATOR,
        "GET",
        "/policy/versions",
        Value::Null,
    );
    check(
        "policy|validate|rules.toml",
        OPERATOR,
        "POST",
        "/policy/check",
        json!({"toml": "a = 1\n"}),
    );
    check(
        "policy|diff|rules.json",
        OPERATOR,
        "POST",
        "/policy/diff",
        json!({"document": {"a": 1}}),
    );
    check(
        "policy|set|rules.toml",
        OPERATOR,
        "PUT",
        "/policy",
        json!({"toml": "a = 1\n"}),
    );
}

#[test]
fn runs_and_tool_calls() {
    check(
        "run|start|--model|claude-opus|--task|task_1|--session|s2|--estimated-cost|0.5|--metadata|{\"a\":1}",
        AGENT,
        "POST",
        "/events/run",
        json!({"agentId": "jordan", "sessionKey": "s2", "model": "claude-opus", "startedAt": "TIME", "taskId": "task_1",
            "estimatedCost": 0.5, "metadata": {"a": 1}}),
    );
    check(
        "run|finish|run_1|--input-tokens|10|--output-tokens|20|--cache-read-tokens|1|--cache-write-tokens|2|--cost|0.45",
        AGENT,
        "PATCH",
        "/events/run/run_1",
        json!({"status": "COMPLETED", "inputTokens": 10, "outputTokens": 20, "cacheReadTokens": 1,
            "cacheWriteTokens": 2, "costUsd": 0.45}),
    );
    check(
        "run|finish|run_1|--status|running|--cost|0.2",
        AGENT,
        "PATCH",
        "/events/run/run_1",
        json!({"status": "RUNNING", "costUsd": 0.2}),
    );
    check(
        "run|list|--task|task_1|--status|failed|--about|casey",
        AGENT,
        "GET",
        "/events/runs?taskId=task_1&status=FAILED&agentId=casey",
        Value::Null,
    );
    check(
        "run|get|run_1",
        AGENT,
        "GET",
        "/events/runs/run_1",
        Value::Null,
    );
    check(
        "run|get|run_1|--tool-calls",
        AGENT,
        "GET",
        "/events/runs/run_1/tool-calls",
        Value::Null,
    );
    check(
        "tool-call|start|--run|run_1|--tool|exec|--risk|yellow|--input|{\"command\":\"ls\"}|--input-preview|ls|--input-hash|ab|--task|task_1",
        AGENT,
        "POST",
        "/events/tool-call",
        json!({"runId": "run_1", "agentId": "jordan", "toolName": "exec", "riskLevel": "YELLOW", "startedAt": "TIME",
            "status": "RUNNING", "taskId": "task_1", "inputPreview": "ls", "inputHash": "ab", "input": {"command": "ls"}}),
    );
    check(
        "tool-call|finish|tc_1|--status|failed|--error|no|--output-preview|x|--output-hash|cd|--retry-count|2",
        AGENT,
        "PATCH",
        "/events/tool-call/tc_1",
        json!({"status": "FAILED", "outputPreview": "x", "outputHash": "cd", "error": "no", "retryCount": 2}),
    );
}

#[test]
fn what_goes_on() {
    check(
        "notification|list|--status|pending|--type|mention|--limit|3",
        AGENT,
        "GET",
        "/notifications?status=PENDING&type=MENTION&limit=3",
        Value::Null,
    );
    check(
        "notification|ack|notif_1",
        AGENT,
        "POST",
        "/notifications/notif_1/ack",
        json!({}),
    );
    check(
        "notification|ack|notif_1|notif_2",
        AGENT,
        "POST",
        "/notifications/ack",
        json!({"ids": ["notif_1", "notif_2"]}),
    );
    check(
        "notification|ack|--all",
        AGENT,
        "POST",
        "/notifications/ack",
        json!({"all": true}),
    );
    check(
        "alert|list|--status|open|--severity|critical|--about|casey",
        OPERATOR,
        "GET",
        "/alerts?status=OPEN&severity=CRITICAL&agentId=casey",
        Value::Null,
    );
    check(
        "alert|ack|alert_1|--note|on it",
        OPERATOR,
        "POST",
        "/alerts/alert_1/acknowledge",
        json!({"note": "on it"}),
    );
    check(
        "alert|resolve|alert_1|--note|fixed",
        OPERATOR,
        "POST",
        "/alerts/alert_1/resolve",
        json!({"resolutionNote": "fixed"}),
    );
    check(
        "timeline|--task|task_1|--about|casey|--action|task-transition|--limit|5|--before|act_9",
        AGENT,
        "GET",
        "/events/timeline?taskId=task_1&agentId=casey&action=TASK_TRANSITION&limit=5&before=act_9",
        Value::Null,
    );
    check(
        "standup|--date|2026-11-20",
        AGENT,
        "GET",
        "/standup?date=2026-11-20",
        Value::Null,
    );
    check("stats", OPERATOR, "GET", "/stats/overview", Value::Null);
    check(
        "stats|costs|casey|--period|week",
        AGENT,
        "GET",
        "/stats/agents/casey/costs?period=week",
        Value::Null,
    );
    check("webhook|list", OPERATOR, "GET", "/webhooks", Value::Null);
    check(
        "webhook|add|https://x/hook|--events|TASK_TRANSITION,ALERT|--secret|sixteen-characters",
        OPERATOR,
        "POST",
        "/webhooks",
        json!({"url": "https://x/hook", "events": ["TASK_TRANSITION", "ALERT"], "secret": "sixteen-characters"}),
    );
    check(
        "webhook|remove|wh_1",
        OPERATOR,
        "DELETE",
        "/webhooks/wh_1",
        Value::Null,
    );
    check(
        "webhook|deliveries|wh_1|--limit|5",
        OPERATOR,
        "GET",
        "/webhooks/wh_1/deliveries?limit=5",
        Value::Null,
    );
    check(
        "webhook|replay|wh_1|whd_1",
        OPERATOR,
        "POST",
        "/webhooks/wh_1/deliveries/whd_1/replay",
        json!({}),
    );
    check(
        "operator|mode",
        OPERATOR,
        "GET",
        "/operator/mode",
        Value::Null,
    );
    check(
        "operator|mode|paused|--reason|weekend",
        OPERATOR,
        "PUT",
        "/operator/mode",
        json!({"mode": "PAUSED", "reason": "weekend"}),
    );
}

#[test]
fn an_agent_without_an_id_is_known_by_its_token() {
    for (line, path) in [
        (vec!["heartbeat"], "/agents/me/heartbeat"),
        (vec!["agent", "status"], "/agents/me"),
    ] {
        let stub = Stub::saying(Answer::ok(json!({"id": "jordan"})));
        Mc::new(&stub).without("MC_AGENT_ID").run(&line).ended(0);
        assert_eq!(stub.only().path, path);
        assert_eq!(stub.only().header("x-agent-id"), None);
    }
}

#[test]
fn an_operator_acts_for_an_agent_on_heartbeats_and_events_only() {
    let stub = Stub::saying(Answer::ok(json!({"id": "x"})));
    let mc = Mc::new(&stub).without("MC_AGENT_TOKEN");
    mc.run(&["heartbeat"]).ended(0);
    mc.run(&["run", "finish", "run_1"]).ended(0);
    mc.run(&["task", "get", "task_1"]).ended(0);
    let named: Vec<bool> = stub
        .seen()
        .iter()
        .map(|seen| seen.header("x-agent-id") == Some("jordan"))
        .collect();
    assert_eq!(named, [true, true, false]);
}

#[test]
fn the_token_on_the_command_line_speaks() {
    let stub = Stub::saying(Answer::ok(json!({"tasks": []})));
    let mc = Mc::new(&stub);
    mc.run(&["--token", "mc_agt_other", "task", "list"])
        .ended(0);
    mc.run(&["approval", "list", "--pending", "--token", "mc_agt_lead"])
        .ended(0);
    let bearers: Vec<String> = stub
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(bearers, ["Bearer mc_agt_other", "Bearer mc_agt_lead"]);
}

#[test]
fn an_operator_can_say_which_one_it_is() {
    let stub = Stub::saying(Answer::ok(json!({"id": "x"})));
    let mc = Mc::new(&stub).with("MC_USER_ID", "kim");
    mc.run(&["approval", "approve", "approval_1"]).ended(0);
    mc.run(&["task", "claim", "task_1"]).ended(0);
    let users: Vec<_> = stub
        .seen()
        .iter()
        .map(|seen| seen.header("x-user-id").map(str::to_owned))
        .collect();
    assert_eq!(users, [Some("kim".to_owned()), None]);
}
