//! Approvals: who decides, once, and who is told; heartbeats beside them.

use stationmaster_kernel::approval::{
    self, Approval, ApprovalFilter, Decision, NewApproval, Risk, Status,
};
use stationmaster_kernel::heartbeat::{self, NewHeartbeat};
use stationmaster_kernel::notification::{NotificationFilter, Type};
use stationmaster_kernel::{Kind, Page, Principal, Result};

use crate::support::{TestStore, agent, on_both, person};

on_both!(
    an_operator_decides_once_and_the_asker_is_told,
    an_agent_never_decides,
    only_the_asker_withdraws,
    lists_of_approvals_are_filtered,
    another_tenants_approval_looks_missing,
    a_heartbeat_tells_what_waits,
);

fn ask(store: &TestStore) -> Approval {
    store
        .write(|tx| {
            let new = NewApproval {
                task: None,
                title: "a browser".into(),
                justification: "to read".into(),
                interface: Some(serde_json::json!({"command": "chromium"})),
                scope: None,
                risk: Risk::High,
            };
            approval::request(tx, &agent("t", "writer"), new)
        })
        .unwrap()
}

fn decide(
    store: &TestStore,
    who: Principal,
    it: &Approval,
    decision: Decision,
) -> Result<Approval> {
    let id = it.id.clone();
    store.write(move |tx| approval::decide(tx, &who, &id, decision, Some("why".into())))
}

fn an_operator_decides_once_and_the_asker_is_told(store: &TestStore) {
    let it = ask(store);
    let decided = decide(store, Principal::operator("ann"), &it, Decision::Approve).unwrap();
    assert_eq!(
        (decided.status, decided.decided_by.as_deref()),
        (Status::Approved, Some("ann"))
    );
    let id = it.id.clone();
    let kept = store
        .read(move |tx| approval::get(tx, &agent("t", "writer"), &id))
        .unwrap();
    assert_eq!(kept, decided);
    let error = decide(store, person("t"), &it, Decision::Deny).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "already_decided")
    );
    let told = store
        .read(|tx| {
            tx.notifications(
                &"t".parse()?,
                &NotificationFilter::default(),
                Page::first(10),
            )
        })
        .unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].target.as_str(), &told[0].kind),
        ("writer", &Type::System)
    );
    assert!(told[0].content.contains("approved"), "{}", told[0].content);
}

fn an_agent_never_decides(store: &TestStore) {
    let it = ask(store);
    for (tenant, handle) in [("t", "writer"), ("t", "lead"), ("u", "lead")] {
        let error = decide(store, agent(tenant, handle), &it, Decision::Approve).unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
    }
    let id = it.id;
    assert_eq!(
        store
            .read(move |tx| approval::get(tx, &agent("t", "x"), &id))
            .unwrap()
            .status,
        Status::Pending
    );
}

fn only_the_asker_withdraws(store: &TestStore) {
    let it = ask(store);
    assert_eq!(
        decide(store, agent("t", "lead"), &it, Decision::Withdraw)
            .unwrap_err()
            .kind,
        Kind::Forbidden
    );
    assert_eq!(
        decide(store, agent("u", "writer"), &it, Decision::Withdraw)
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    assert_eq!(
        decide(store, agent("t", "writer"), &it, Decision::Withdraw)
            .unwrap()
            .status,
        Status::Canceled
    );
}

fn a_heartbeat_tells_what_waits(store: &TestStore) {
    let who = agent("t", "writer");
    let mine = store.task(&who, "one");
    let it = ask(store);
    decide(store, person("t"), &it, Decision::Deny).unwrap();
    let caller = who.clone();
    store
        .write(move |tx| heartbeat::record(tx, &caller, NewHeartbeat::default()))
        .unwrap();
    let caller = who.clone();
    let pending = store
        .read(move |tx| heartbeat::pending(tx, &caller))
        .unwrap();
    assert_eq!((pending.notifications, pending.tasks.in_progress), (1, 1));
    let kept = store
        .read(move |tx| tx.agent(&mine.tenant, &"writer".parse()?))
        .unwrap()
        .unwrap();
    assert_eq!(kept.health.as_deref(), Some("ok"));
    assert!(kept.last_heartbeat_at.is_some());
    let wrong = NewHeartbeat {
        health: Some("great".into()),
        ..NewHeartbeat::default()
    };
    assert_eq!(
        store
            .write(move |tx| heartbeat::record(tx, &who, wrong.clone()))
            .unwrap_err()
            .kind,
        Kind::Invalid
    );
}

fn lists_of_approvals_are_filtered(store: &TestStore) {
    let task = store.task(&agent("t", "writer"), "one").id;
    let mut asked = Vec::new();
    for (tenant, task) in [
        ("t", None),
        ("t", Some(task.clone())),
        ("t", None),
        ("u", None),
    ] {
        let new = NewApproval {
            task,
            title: format!("{tenant}{}", asked.len()),
            justification: "to read".into(),
            interface: None,
            scope: Some("all".into()),
            risk: Risk::Low,
        };
        let made = store
            .write(move |tx| approval::request(tx, &agent(tenant, "writer"), new.clone()))
            .unwrap();
        asked.push(made);
    }
    decide(store, person("t"), &asked[0], Decision::Deny).unwrap();
    decide(store, agent("t", "writer"), &asked[2], Decision::Withdraw).unwrap();
    let check = |who: Principal, filter: ApprovalFilter, expected: &[&str]| {
        let list = store
            .read(move |tx| approval::list(tx, &who, filter.clone(), Page::first(10)))
            .unwrap();
        let titles: Vec<&str> = list.items.iter().map(|it| it.title.as_str()).collect();
        assert_eq!(titles, expected);
    };
    let all = ApprovalFilter::default;
    let of = |statuses: &[Status]| ApprovalFilter {
        statuses: statuses.to_vec(),
        ..all()
    };
    let (asker, boss) = (agent("t", "writer"), Principal::operator("ann"));
    check(asker.clone(), all(), &["t2", "t1", "t0"]);
    check(asker.clone(), of(&[Status::Pending]), &["t1"]);
    let decided = of(&[Status::Denied, Status::Canceled]);
    check(asker.clone(), decided, &["t2", "t0"]);
    let on_task = ApprovalFilter {
        task: Some(task),
        ..all()
    };
    check(asker.clone(), on_task, &["t1"]);
    check(boss.clone(), all(), &["u3", "t2", "t1", "t0"]);
    let of_tenant = ApprovalFilter {
        tenant: Some("u".parse().unwrap()),
        ..all()
    };
    check(boss, of_tenant.clone(), &["u3"]);
    // An agent's own tenant wins over the one it names.
    check(asker, of_tenant, &["t2", "t1", "t0"]);
}

fn another_tenants_approval_looks_missing(store: &TestStore) {
    let it = ask(store);
    let error = decide(store, person("u"), &it, Decision::Approve).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::NotFound, "tool_request_not_found")
    );
    let id = it.id;
    let error = store
        .read(move |tx| approval::get(tx, &agent("u", "writer"), &id))
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}
