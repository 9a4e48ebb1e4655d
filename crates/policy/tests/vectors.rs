//! The contract's own vectors (OpenClaw contract §§8.1, 17.8).

use serde_json::json;
use stationmaster_policy::*;

fn jordan() -> Agent {
    Agent {
        rank: Rank::Specialist,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/home/agent/.openclaw/agents/jordan".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: true,
    }
}

fn exec(command: &str) -> Verdict {
    let action = Action::command("exec", command);
    decide(&Rules::built_in(), &action, &jordan(), &Context::default())
}

#[test]
fn the_seeds_own_example_is_answered_word_for_word() {
    let action =
        json!({"type": "TOOL_CALL", "tool": "exec", "args": {"command": "rm -rf /tmp/test"}});
    let action = Action::from_json(action.as_object().unwrap()).unwrap();
    let verdict = decide(&Rules::built_in(), &action, &jordan(), &Context::default());
    assert_eq!(verdict.decision, Decision::Deny);
    assert_eq!(verdict.risk, Risk::Red);
    assert_eq!(verdict.reason, "Command matches blocked pattern: rm -rf");
    assert_eq!(verdict.violations, ["shell_blocklist:rm -rf"]);
}

#[test]
fn the_acceptance_vectors_hold() {
    assert_eq!(exec("git add .").decision, Decision::Allow);
    for command in [
        "rm -r -f x",
        "rm --force --recursive x",
        "sh -c \"rm -rf x\"",
    ] {
        assert_eq!(
            exec(command).violations,
            ["shell_blocklist:rm -rf"],
            "{command}"
        );
    }
    assert_eq!(exec("ls; rm -rf x").decision, Decision::Deny);
    let push = exec("git push origin main");
    assert_eq!(
        (push.decision, push.risk),
        (Decision::NeedsApproval, Risk::Red)
    );
    let arguments = json!({"type": "TOOL_CALL", "tool": "think", "args": {"max_tokens": 5, "text": "{\"max_tokens\":5}"}});
    let action = Action::from_json(arguments.as_object().unwrap()).unwrap();
    let verdict = decide(&Rules::built_in(), &action, &jordan(), &Context::default());
    assert_eq!(
        (verdict.decision, verdict.secrets),
        (Decision::Allow, vec![])
    );
    let fetch = json!({"type": "NETWORK", "url": "https://unknown.example/x"});
    let action = Action::from_json(fetch.as_object().unwrap()).unwrap();
    let verdict = decide(&Rules::built_in(), &action, &jordan(), &Context::default());
    assert_eq!(verdict.decision, Decision::NeedsApproval);
    assert_eq!(
        verdict.violations,
        ["network_not_allowlisted:unknown.example"]
    );
}
