//! Which rules are in force, what they say with all the facts at hand, and what is kept of it
//! (OpenClaw contract §8).

use stationmaster_kernel::agent::Rank;
use stationmaster_kernel::event::{Happening, TrailQuery};
use stationmaster_kernel::policy::{self, Decision, Evaluation, Question, Scope, Source};
use stationmaster_kernel::{Kind, Principal};

use crate::crew::{begun, member, object};
use crate::support::{TestStore, on_both, person};

on_both!(
    without_a_document_the_built_in_rules_hold,
    the_narrowest_document_wins_and_can_be_taken_back,
    every_version_is_kept,
    only_operators_write_rules,
    a_document_with_faults_is_refused_with_every_fault,
    only_what_is_not_simply_allowed_is_kept,
    a_document_is_tried_out_on_what_agents_did,
    a_paused_agent_may_do_nothing,
);

pub(crate) fn put_for(store: &TestStore, scope: &Scope, document: &str) -> i64 {
    let value = serde_json::from_str(document).unwrap();
    let document = policy::read(Source::Json(&value)).unwrap();
    let scope = scope.clone();
    store
        .write(move |tx| policy::put(tx, &person("t"), &scope, &document))
        .unwrap()
        .version
}

/// Puts rules in force for all.
pub(crate) fn put(store: &TestStore, document: &str) -> i64 {
    put_for(store, &Scope::Global, document)
}

fn question(command: &str) -> Question {
    let mut action = object(r#"{"type":"TOOL_CALL","tool":"exec"}"#);
    action.insert("command".into(), command.into());
    Question {
        action,
        task: None,
        approval: None,
    }
}

pub(crate) fn evaluate(store: &TestStore, who: &Principal, question: &Question) -> Evaluation {
    let (who, question) = (who.clone(), question.clone());
    store
        .write(move |tx| {
            let found = policy::evaluate(tx, &who, &question)?;
            policy::record(tx, &who, &question, &found)?;
            Ok(found)
        })
        .unwrap()
}

fn decision(store: &TestStore, who: &Principal, command: &str) -> Decision {
    evaluate(store, who, &question(command)).verdict.decision
}

const NOTHING_BLOCKED: &str = r#"{"shell":{"blocked":["dd"]}}"#;

fn without_a_document_the_built_in_rules_hold(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let found = evaluate(store, &jordan, &question("rm -rf /tmp/test"));
    assert_eq!(found.verdict.decision, Decision::Deny);
    assert_eq!(
        found.verdict.reason,
        "Command matches blocked pattern: rm -rf"
    );
    assert_eq!(found.verdict.violations, ["shell_blocklist:rm -rf"]);
    assert_eq!(
        (found.verdict.version, found.verdict.scope),
        (0, Scope::BuiltIn)
    );
    assert_eq!(decision(store, &jordan, "git add ."), Decision::Allow);
    assert_eq!(
        decision(store, &jordan, "git push origin main"),
        Decision::NeedsApproval
    );
}

fn the_narrowest_document_wins_and_can_be_taken_back(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let riley = member(store, "riley", Rank::Specialist);
    let task = begun(store, &jordan);
    let command = "rm -rf x";
    put(store, "{}");
    let of_jordan = Scope::Agent("t".parse().unwrap(), "jordan".parse().unwrap());
    put_for(store, &of_jordan, NOTHING_BLOCKED);
    assert_ne!(decision(store, &jordan, command), Decision::Deny);
    assert_eq!(decision(store, &riley, command), Decision::Deny);
    // The task's own rules come before the agent's.
    put_for(store, &Scope::Task(task.clone()), "{}");
    let on_task = Question {
        task: Some(task),
        ..question(command)
    };
    assert_eq!(
        evaluate(store, &jordan, &on_task).verdict.decision,
        Decision::Deny
    );
    store
        .write(move |tx| policy::remove(tx, &person("t"), &of_jordan))
        .unwrap();
    assert_eq!(decision(store, &jordan, command), Decision::Deny);
}

fn every_version_is_kept(store: &TestStore) {
    assert_eq!(put(store, "{}"), 1);
    assert_eq!(put(store, NOTHING_BLOCKED), 2);
    let versions = store
        .read(|tx| policy::versions(tx, &person("t"), &Scope::Global, 10))
        .unwrap();
    let numbers: Vec<i64> = versions.iter().map(|it| it.version).collect();
    assert_eq!(numbers, [2, 1]);
    let active = store
        .read(|tx| policy::active(tx, &person("t"), &Scope::Global))
        .unwrap();
    assert_eq!(active.version, 2);
    assert_eq!(active.document.shell.blocked, ["dd"]);
}

fn only_operators_write_rules(store: &TestStore) {
    let lead = member(store, "lead", Rank::Lead);
    let document = policy::Document::built_in();
    let error = store
        .write(move |tx| policy::put(tx, &lead, &Scope::Global, &document))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    let nobody = Scope::Agent("t".parse().unwrap(), "nobody".parse().unwrap());
    let document = policy::Document::built_in();
    let error = store
        .write(move |tx| policy::put(tx, &person("t"), &nobody, &document))
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

fn a_document_with_faults_is_refused_with_every_fault(_: &TestStore) {
    let toml = "version = 1\n[spawn]\nmaxActive = \"many\"\n[approval]\n";
    let error = policy::read(Source::Toml(toml)).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    let fields: Vec<&str> = error.problems.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert!(
        fields.iter().any(|it| it.starts_with("toml:3")),
        "{fields:?}"
    );
}

fn only_what_is_not_simply_allowed_is_kept(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    decision(store, &jordan, "git add .");
    decision(store, &jordan, "rm -rf x");
    decision(store, &jordan, "git push origin AKIAIOSFODNN7EXAMPLE");
    let kept = store
        .read(|tx| {
            tx.trail(&TrailQuery {
                kinds: vec!["policy.evaluated".into()],
                limit: 10,
                ..TrailQuery::default()
            })
        })
        .unwrap();
    let actions: Vec<_> = kept
        .into_iter()
        .map(|event| match event.what {
            Happening::PolicyEvaluated(it) => (it.decision, it.action["command"].clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(actions.len(), 2);
    assert_eq!(actions[0].0, "NEEDS_APPROVAL");
    let command = actions[0].1.as_str().unwrap();
    assert!(
        !command.contains("AKIA") && command.contains("REDACTED"),
        "{command}"
    );
    assert_eq!(actions[1], ("DENY".to_owned(), "rm -rf x".into()));
}

fn a_document_is_tried_out_on_what_agents_did(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    for command in ["rm -rf x", "git push origin main", "rm -rf y"] {
        decision(store, &jordan, command);
    }
    let value = serde_json::from_str(NOTHING_BLOCKED).unwrap();
    let document = policy::read(Source::Json(&value)).unwrap();
    let found = store
        .read(move |tx| policy::rehearse(tx, &person("t"), &Scope::Global, &document, 100))
        .unwrap();
    assert_eq!((found.version, found.tested), (0, 3));
    let shifted: Vec<_> = found
        .shifts
        .iter()
        .map(|it| it.action["command"].clone())
        .collect();
    assert_eq!(shifted, ["rm -rf y", "rm -rf x"]);
    assert_eq!(found.shifts[0].before.0, Decision::Deny);
    assert_ne!(found.shifts[0].after.0, Decision::Deny);
    // Rules for one agent leave the others' actions alone.
    let other = Scope::Agent("t".parse().unwrap(), "riley".parse().unwrap());
    let document = policy::Document::built_in();
    let found = store
        .read(move |tx| policy::rehearse(tx, &person("t"), &other, &document, 100))
        .unwrap();
    assert_eq!(found.tested, 0);
}

fn a_paused_agent_may_do_nothing(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    store
        .write(|tx| {
            let mut agent =
                stationmaster_kernel::agent::find(tx, &"t".parse()?, &"jordan".parse()?)?;
            let paused = stationmaster_kernel::agent::Status::Paused;
            stationmaster_kernel::agent::set_status(tx, &person("t"), &mut agent, paused, None)
        })
        .unwrap();
    assert_eq!(decision(store, &jordan, "git add ."), Decision::Deny);
}
