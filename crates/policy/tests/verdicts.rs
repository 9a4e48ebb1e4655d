//! The order of evaluation, standing approvals, budgets, spawning and transitions (OpenClaw contract
//! §§8.2, 8.3, 9.4), and the rules' own switches.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without may panic"
)]

use serde_json::{Value, json};
use stationmaster_policy::*;

fn agent(rank: Rank) -> Agent {
    Agent {
        rank,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/home/agent/work".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: true,
    }
}

fn action(object: &Value) -> Action {
    Action::from_json(object.as_object().unwrap()).unwrap()
}

fn judge(action: &Action, agent: &Agent, context: &Context) -> Verdict {
    decide(&Rules::built_in(), action, agent, context)
}

fn standing(scope: Scope) -> Context {
    Context {
        approvals: vec![Standing {
            id: "approval_1".to_owned(),
            scope,
            expired: false,
        }],
        ..Context::default()
    }
}

#[test]
fn only_an_active_agent_may_act() {
    let ls = Action::command("exec", "ls");
    for (status, own_task, expected) in [
        (Status::Active, false, None),
        (Status::Paused, true, Some("agent_status:PAUSED")),
        (Status::Quarantined, true, Some("agent_status:QUARANTINED")),
        (Status::Offline, true, Some("agent_status:OFFLINE")),
        (Status::Drained, false, Some("agent_status:DRAINED")),
        (Status::Drained, true, None),
    ] {
        let agent = Agent {
            status,
            ..agent(Rank::Lead)
        };
        let context = Context {
            task_in_progress_is_own: own_task,
            ..Context::default()
        };
        let verdict = judge(&ls, &agent, &context);
        assert_eq!(
            verdict.violations.first().map(String::as_str),
            expected,
            "{status}"
        );
        assert_eq!(
            verdict.decision == Decision::Deny,
            expected.is_some(),
            "{status}"
        );
    }
}

#[test]
fn the_operators_mode_holds_for_all() {
    let ls = Action::command("exec", "ls");
    for (mode, own_task, expected) in [
        (OperatorMode::Normal, false, None),
        (OperatorMode::Paused, true, Some("operator_mode:PAUSED")),
        (
            OperatorMode::Quarantined,
            true,
            Some("operator_mode:QUARANTINED"),
        ),
        (
            OperatorMode::Draining,
            false,
            Some("operator_mode:DRAINING"),
        ),
        (OperatorMode::Draining, true, None),
    ] {
        let context = Context {
            operator_mode: mode,
            task_in_progress_is_own: own_task,
            ..Context::default()
        };
        let verdict = judge(&ls, &agent(Rank::Lead), &context);
        assert_eq!(
            verdict.violations.first().map(String::as_str),
            expected,
            "{mode}"
        );
    }
}

#[test]
fn an_agent_has_only_the_tools_on_its_list() {
    let held = |tools: &[&str]| Agent {
        allowed_tools: Some(tools.iter().map(|tool| (*tool).to_owned()).collect()),
        ..agent(Rank::Specialist)
    };
    let none = Context::default();
    let ls = Action::command("exec", "ls");
    assert_eq!(
        judge(&ls, &held(&["bash"]), &none).decision,
        Decision::Allow,
        "a shell has several names"
    );
    assert_eq!(
        judge(&ls, &held(&["read"]), &none).violations,
        ["tool_not_allowed:exec"]
    );
    assert_eq!(judge(&ls, &held(&[]), &none).decision, Decision::Deny);
    let write = action(&json!({"type": "FILE_WRITE", "path": "output/x"}));
    assert_eq!(
        judge(&write, &held(&["edit"]), &none).decision,
        Decision::Allow
    );
    assert_eq!(
        judge(&write, &held(&["read"]), &none).violations,
        ["tool_not_allowed:FILE_WRITE"]
    );
}

#[test]
fn a_denial_names_only_what_denies() {
    let both = Action::command("exec", "make; rm -rf x");
    let verdict = judge(&both, &agent(Rank::Specialist), &Context::default());
    assert_eq!(verdict.violations, ["shell_blocklist:rm -rf"]);
    assert_eq!(verdict.approval_required, None);
}

#[test]
fn an_approval_of_exactly_this_lifts_everything_but_denials() {
    let make = Action::command("exec", "make deploy FOO=prod");
    let print = make.fingerprint(&Rules::built_in());
    let approved = standing(Scope::Exact(print.clone()));
    let verdict = judge(&make, &agent(Rank::Intern), &approved);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.risk, Risk::Red);
    assert_eq!(verdict.standing, ["approval_1"]);
    assert_eq!(verdict.fingerprint, print);
    let other = Action::command("exec", "make other");
    assert_eq!(
        judge(&other, &agent(Rank::Intern), &approved).decision,
        Decision::NeedsApproval
    );
    let blocked = Action::command("exec", "rm -rf x");
    let approved = standing(Scope::Exact(blocked.fingerprint(&Rules::built_in())));
    let verdict = judge(&blocked, &agent(Rank::Lead), &approved);
    assert_eq!(
        (verdict.decision, verdict.standing),
        (Decision::Deny, vec![])
    );
    assert_eq!(
        judge(&blocked, &agent(Rank::Lead), &standing(Scope::Named)).decision,
        Decision::Deny
    );
}

#[test]
fn an_approval_that_is_not_needed_is_not_used() {
    let ls = Action::command("exec", "ls");
    let verdict = judge(&ls, &agent(Rank::Specialist), &standing(Scope::Named));
    assert_eq!(
        (verdict.decision, verdict.standing),
        (Decision::Allow, vec![])
    );
}

#[test]
fn an_approval_of_a_rule_lifts_only_that_rule() {
    let make = Action::command("exec", "make production");
    let lead = agent(Rank::Lead);
    let one = judge(
        &make,
        &lead,
        &standing(Scope::Rule("shell_not_allowlisted:make".to_owned())),
    );
    assert_eq!(one.decision, Decision::NeedsApproval);
    assert_eq!(one.violations, ["production_impact:production"]);
    assert_eq!(one.standing, Vec::<String>::new());
    let mut both = standing(Scope::Rule("shell_not_allowlisted".to_owned()));
    both.approvals.push(Standing {
        id: "grant_2".to_owned(),
        scope: Scope::Rule("production_impact:production".to_owned()),
        expired: false,
    });
    let verdict = judge(&make, &lead, &both);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.standing.len(), 2);
}

#[test]
fn an_expired_approval_lifts_nothing_and_is_named() {
    let make = Action::command("exec", "make");
    let mut context = standing(Scope::Exact(make.fingerprint(&Rules::built_in())));
    context.approvals[0].expired = true;
    let verdict = judge(&make, &agent(Rank::Lead), &context);
    assert_eq!(verdict.decision, Decision::NeedsApproval);
    assert_eq!(
        verdict.violations,
        ["shell_not_allowlisted:make", "approval_expired:approval_1"]
    );
    let ls = Action::command("exec", "ls");
    assert_eq!(
        judge(&ls, &agent(Rank::Lead), &context).violations,
        Vec::<String>::new()
    );
}

#[test]
fn a_fingerprint_is_of_the_tool_and_what_it_is_given() {
    let rules = Rules::built_in();
    let print = |object: Value| action(&object).fingerprint(&rules);
    let same = [
        json!({"type": "TOOL_CALL", "tool": "exec", "command": "make"}),
        json!({"type": "TOOL_CALL", "tool": "bash", "args": {"cmd": " make "}, "estimatedCost": 1}),
    ];
    assert_eq!(print(same[0].clone()), print(same[1].clone()));
    let email = |to: &str| json!({"type": "TOOL_CALL", "tool": "send_email", "args": {"to": to, "subject": "x"}});
    assert_ne!(print(email("a")), print(email("b")));
    let swapped =
        json!({"type": "TOOL_CALL", "tool": "send_email", "args": {"subject": "x", "to": "a"}});
    assert_eq!(print(email("a")), print(swapped));
    let path = json!({"type": "FILE_WRITE", "path": "x"});
    assert_ne!(
        print(path.clone()),
        print(json!({"type": "FILE_WRITE", "url": "x"}))
    );
    assert_eq!(print(path).len(), 64);
}

#[test]
fn money_that_is_not_there_is_asked_for() {
    let spend = action(&json!({"type": "TOOL_CALL", "tool": "think", "estimatedCost": 0.6}));
    let budget = |daily, run, task| Context {
        budget: Some(BudgetFacts {
            daily_remaining: daily,
            per_run_cap: run,
            task_remaining: task,
        }),
        ..Context::default()
    };
    let specialist = agent(Rank::Specialist);
    let verdict = judge(
        &spend,
        &specialist,
        &budget(Some(250_000), Some(599_999), Some(0)),
    );
    assert_eq!(verdict.decision, Decision::NeedsApproval);
    assert_eq!(verdict.risk, Risk::Green);
    assert_eq!(
        verdict.violations,
        [
            "budget_daily:0.60/0.25",
            "budget_per_run:0.60/0.599999",
            "budget_task:0.60/0.00"
        ]
    );
    assert_eq!(
        verdict.approval_required.unwrap().kind,
        ApprovalKind::BudgetOverride
    );
    assert_eq!(
        judge(&spend, &specialist, &budget(Some(600_000), None, None)).decision,
        Decision::Allow
    );
    assert_eq!(
        judge(
            &Action::command("exec", "ls"),
            &specialist,
            &budget(Some(0), None, None)
        )
        .decision,
        Decision::Allow
    );
}

#[test]
fn spawning_has_limits_that_no_approval_lifts() {
    let spawn = Action::new(ActionKind::Spawn);
    let with = |active_agents, children_of_parent_task, depth| Context {
        spawn: Some(SpawnFacts {
            active_agents,
            children_of_parent_task,
            depth,
        }),
        ..standing(Scope::Named)
    };
    let lead = agent(Rank::Lead);
    for (context, expected) in [
        (with(29, 2, 2), vec![]),
        (with(30, 2, 2), vec!["spawn_max_active:31/30"]),
        (with(0, 3, 1), vec!["spawn_max_per_parent:4/3"]),
        (with(0, 0, 3), vec!["spawn_depth:3/2"]),
    ] {
        assert_eq!(judge(&spawn, &lead, &context).violations, expected);
    }
    assert_eq!(
        judge(&spawn, &agent(Rank::Intern), &Context::default()).violations,
        ["spawn_role:INTERN"]
    );
    let barren = Agent {
        can_spawn: false,
        ..agent(Rank::Specialist)
    };
    let tool = action(&json!({"type": "TOOL_CALL", "tool": "sessions_spawn"}));
    assert_eq!(
        judge(&tool, &barren, &Context::default()).violations,
        ["spawn_role:SPECIALIST"]
    );
    let asked = judge(&spawn, &agent(Rank::Specialist), &Context::default());
    assert_eq!(asked.approval_required.unwrap().kind, ApprovalKind::Spawn);
}

#[test]
fn a_transition_is_what_its_dry_run_says() {
    let done = action(&json!({"type": "TRANSITION", "targetStatus": "DONE"}));
    let facts = |outcome| Context {
        transition: Some(TransitionFacts {
            from: "REVIEW".to_owned(),
            outcome,
        }),
        ..Context::default()
    };
    let lead = agent(Rank::Lead);
    let human = judge(&done, &lead, &facts(TransitionOutcome::RequiresHuman));
    assert_eq!(human.violations, ["transition_requires_human:REVIEW->DONE"]);
    assert_eq!(
        (human.decision, human.risk),
        (Decision::NeedsApproval, Risk::Red)
    );
    assert_eq!(
        human.approval_required.unwrap().kind,
        ApprovalKind::StateTransition
    );
    assert_eq!(
        judge(&done, &lead, &facts(TransitionOutcome::Allowed)).decision,
        Decision::Allow
    );
    let invalid = judge(&done, &lead, &facts(TransitionOutcome::Invalid));
    assert_eq!(
        (invalid.decision, invalid.violations),
        (
            Decision::Deny,
            vec!["invalid_transition:REVIEW->DONE".to_owned()]
        )
    );
    let kind = judge(
        &done,
        &lead,
        &facts(TransitionOutcome::TaskTypeNotAllowed("OPS".to_owned())),
    );
    assert_eq!(kind.violations, ["task_type_not_allowed:OPS"]);
    assert_eq!(
        judge(&done, &lead, &Context::default()).violations,
        ["invalid_transition:?->DONE"]
    );
}

#[test]
fn the_switch_for_specialists_has_three_positions() {
    let with = |position: &str| {
        let document =
            Document::from_json(&json!({"autonomy": {"SPECIALIST": {"yellow": position}}}))
                .unwrap();
        Rules::compile(&document).unwrap()
    };
    let listed = Action::command("exec", "git add .");
    let unlisted = action(&json!({"type": "TOOL_CALL", "tool": "browser"}));
    let specialist = agent(Rank::Specialist);
    for (position, of_listed, of_unlisted) in [
        ("allowlisted", Decision::Allow, Decision::NeedsApproval),
        ("approval", Decision::NeedsApproval, Decision::NeedsApproval),
        ("allow", Decision::Allow, Decision::Allow),
        ("deny", Decision::Deny, Decision::Deny),
    ] {
        let rules = if position == "deny" {
            let document = json!({"autonomy": {"SPECIALIST": {"yellow": "deny", "red": "deny"}}});
            Rules::compile(&Document::from_json(&document).unwrap()).unwrap()
        } else {
            with(position)
        };
        assert_eq!(
            decide(&rules, &listed, &specialist, &Context::default()).decision,
            of_listed,
            "{position}"
        );
        assert_eq!(
            decide(&rules, &unlisted, &specialist, &Context::default()).decision,
            of_unlisted,
            "{position}"
        );
    }
}

#[test]
fn an_action_that_cannot_be_read_says_why() {
    let faults = |object: Value| -> Vec<String> {
        let faults = Action::from_json(object.as_object().unwrap()).unwrap_err();
        faults.into_iter().map(|fault| fault.path).collect()
    };
    assert_eq!(faults(json!({})), ["type"]);
    assert_eq!(faults(json!({"type": "tool_call", "tool": "x"})), ["type"]);
    assert_eq!(faults(json!({"type": "TOOL_CALL"})), ["tool"]);
    assert_eq!(
        faults(json!({"type": "TOOL_CALL", "tool": 3, "command": []})),
        ["tool", "command", "tool"]
    );
    assert_eq!(
        faults(json!({"type": "SPAWN", "args": 3, "estimatedCost": -1})),
        ["args", "estimatedCost"]
    );
    assert_eq!(
        faults(json!({"type": "TOOL_CALL", "tool": "x", "command": "a", "cmd": "b"})),
        ["cmd"]
    );
    assert_eq!(
        faults(json!({"type": "TOOL_CALL", "tool": "x", "command": "a", "args": {"command": "b"}})),
        ["args.command"]
    );
}

#[test]
fn a_dry_run_tells_what_would_change() {
    let mut document = Document::built_in();
    document.shell.green.retain(|entry| entry.command != "cat");
    document.network.allow.push("unknown.example".to_owned());
    let new = Rules::compile(&document).unwrap();
    let actions = [
        Action::command("exec", "ls"),
        Action::command("exec", "cat x"),
        action(&json!({"type": "NETWORK", "url": "https://unknown.example"})),
    ];
    let (agent, context) = (agent(Rank::Specialist), Context::default());
    let changes = compare(
        &Rules::built_in(),
        &new,
        actions.iter().map(|action| (action, &agent, &context)),
    );
    let indexes: Vec<(usize, bool)> = changes
        .iter()
        .map(|change| (change.index, change.is_stricter()))
        .collect();
    assert_eq!(indexes, [(1, true), (2, false)]);
}

#[test]
fn secrets_are_taken_out_of_texts() {
    for (text, expected, kinds) in [
        ("nothing here", "nothing here", vec![]),
        (
            "max_tokens: 4096, token_count=100000",
            "max_tokens: 4096, token_count=100000",
            vec![],
        ),
        (
            "password=hunter2 and more",
            "password=[REDACTED:assignment] and more",
            vec!["assignment"],
        ),
        (
            "use ghp_abcdefghijklmnopqrst1234 now",
            "use [REDACTED:github] now",
            vec!["github"],
        ),
        (
            "mc_agt_abcdefgh1234",
            "[REDACTED:mission_control]",
            vec!["mission_control"],
        ),
        (
            "Authorization: Bearer abcdefghijklmnop.qrst",
            "Authorization: Bearer [REDACTED:bearer]",
            vec!["bearer"],
        ),
        (
            "a\n-----BEGIN RSA PRIVATE KEY-----\nxyz\n-----END RSA PRIVATE KEY-----\nb",
            "a\n[REDACTED:private_key]\nb",
            vec!["private_key"],
        ),
        (
            "AKIAIOSFODNN7EXAMPLE xoxb-12345678-ab",
            "[REDACTED:aws] [REDACTED:slack]",
            vec!["slack", "aws"],
        ),
        (
            "sk-abcdefghijklmnopqrstuvwx",
            "[REDACTED:api_key]",
            vec!["api_key"],
        ),
        ("é token: «abc»", "é token: «abc»", vec![]),
    ] {
        assert_eq!(redact(text), (expected.to_owned(), kinds), "{text}");
        let again = redact(expected);
        assert_eq!(again.0, expected, "redacting twice changes nothing");
    }
}

#[test]
fn a_kind_of_secret_can_be_left_out() {
    let document = Document::from_json(&json!({"secrets": {"kinds": ["github"]}})).unwrap();
    let rules = Rules::compile(&document).unwrap();
    let verdict = decide(
        &rules,
        &Action::command("exec", "echo password=hunter2"),
        &agent(Rank::Specialist),
        &Context::default(),
    );
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(rules.redact("password=hunter2").1, Vec::<&str>::new());
}

#[test]
fn a_blank_command_is_none() {
    for command in [json!(""), json!("   "), json!(null)] {
        let asked = action(&json!({"type": "TOOL_CALL", "tool": "exec", "command": command}));
        let verdict = judge(&asked, &agent(Rank::Lead), &Context::default());
        assert_eq!(
            (verdict.decision, verdict.risk),
            (Decision::NeedsApproval, Risk::Red),
            "{command}"
        );
        assert_eq!(verdict.violations, ["shell_unparseable"]);
    }
}

#[test]
fn a_lone_word_is_no_url() {
    for (url, expected) in [
        ("notaurl", "network_invalid_url:notaurl"),
        ("not a url", "network_invalid_url:not a url"),
        ("example.net/x", "network_not_allowlisted:example.net"),
        ("169.254.169.254/latest", "network_denied:169.254.169.254"),
    ] {
        let asked = action(&json!({"type": "NETWORK", "url": url}));
        let verdict = judge(&asked, &agent(Rank::Lead), &Context::default());
        assert_eq!(verdict.violations, [expected], "{url}");
    }
    for asked in [
        json!({"type": "NETWORK", "url": "localhost:8080/x"}),
        json!({"type": "NETWORK", "domain": "github.com"}),
    ] {
        let verdict = judge(&action(&asked), &agent(Rank::Lead), &Context::default());
        assert_eq!(verdict.decision, Decision::Allow, "{asked}");
    }
}
