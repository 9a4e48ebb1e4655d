//! What an operator looks at: alerts, the mode, statistics, standups (OpenClaw contract §4, §13).

use jiff::tz::TimeZone;
use stationmaster_kernel::alert::{self, Alert, AlertFilter, NewAlert, Severity};
use stationmaster_kernel::event::TrailQuery;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::notification::{NotificationFilter, Target, Type};
use stationmaster_kernel::operator::{self, Mode};
use stationmaster_kernel::run::NewReport;
use stationmaster_kernel::standup;
use stationmaster_kernel::state::State;
use stationmaster_kernel::stats::{self, Period};
use stationmaster_kernel::{Kind, MicroUsd, Principal, Timestamp, budget};
use stationmaster_store::Bounds;

use crate::ledger::{HOUR, TENANT, after_noon, begun, over, report, running, specialist, tenant};
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    an_alert_is_looked_after_and_put_right_once,
    alerts_are_counted_whatever_is_listed,
    alerts_are_for_operators,
    the_mode_holds_up_everybody_and_is_recorded,
    costs_are_told_by_model_and_kind_of_task,
    the_overview_counts_what_there_is,
    a_standup_tells_the_day_so_far,
    a_mornings_standup_is_kept_once_and_told,
);

fn raise(store: &TestStore, severity: Severity, tenant: &'static str) -> Alert {
    store
        .write(move |tx| {
            let tenant = tenant.parse()?;
            tx.ensure_tenant(&tenant)?;
            let new = NewAlert {
                severity,
                kind: "TEST",
                title: "Look".into(),
                description: "Here".into(),
                agent: None,
                task: None,
                run: None,
                metadata: None,
            };
            alert::raise(tx, &Principal::system(), &tenant, new)
        })
        .unwrap()
}

fn an_alert_is_looked_after_and_put_right_once(store: &TestStore) {
    let id = raise(store, Severity::Error, TENANT).id;
    let seen = id.clone();
    let acknowledge = move |note: Option<&str>| {
        let (id, note) = (seen.clone(), note.map(str::to_owned));
        store.write(move |tx| alert::acknowledge(tx, &person(TENANT), &id, note.clone()))
    };
    let resolve = move |note: &str| {
        let (id, note) = (id.clone(), note.to_owned());
        store.write(move |tx| alert::resolve(tx, &person(TENANT), &id, note.clone()))
    };
    assert_eq!(resolve("  ").unwrap_err().kind, Kind::Invalid);
    let taken = acknowledge(Some("on it")).unwrap();
    assert_eq!(taken.status, alert::Status::Acknowledged);
    assert_eq!(taken.acknowledged_by.as_deref(), Some("ann"));
    assert_eq!(acknowledge(None).unwrap(), taken, "again is no change");
    let resolved = resolve("fixed").unwrap();
    assert_eq!(resolved.status, alert::Status::Resolved);
    assert_eq!(resolved.resolution_note.as_deref(), Some("fixed"));
    for refused in [acknowledge(None), resolve("twice")] {
        assert_eq!(refused.unwrap_err().code, "already_processed");
    }
}

fn alerts_are_counted_whatever_is_listed(store: &TestStore) {
    for severity in [Severity::Info, Severity::Critical, Severity::Critical] {
        raise(store, severity, TENANT);
    }
    raise(store, Severity::Critical, "elsewhere");
    let list = |tenant: Option<&str>, severity| {
        let filter = AlertFilter {
            tenant: tenant.map(|it| it.parse().unwrap()),
            severity,
            ..AlertFilter::default()
        };
        let listed = store
            .read(move |tx| alert::list(tx, &Principal::operator("ann"), &filter, 0, 1))
            .unwrap();
        (
            listed.alerts.len(),
            listed.total,
            listed.open,
            listed.critical,
        )
    };
    assert_eq!(list(Some(TENANT), Some(Severity::Info)), (1, 1, 3, 2));
    assert_eq!(list(None, None), (1, 4, 4, 3));
}

fn alerts_are_for_operators(store: &TestStore) {
    let id = raise(store, Severity::Info, TENANT).id;
    let who = agent(TENANT, "a");
    let error = store
        .write(move |tx| alert::acknowledge(tx, &who, &id, None))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    let id = raise(store, Severity::Info, "elsewhere").id;
    let error = store
        .write(move |tx| alert::acknowledge(tx, &person(TENANT), &id, None))
        .unwrap_err();
    assert_eq!(error.code, "alert_not_found");
}

fn the_mode_holds_up_everybody_and_is_recorded(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let set = |mode, reason: &str| {
        let reason = Some(reason.to_owned());
        store
            .write(move |tx| operator::set(tx, &Principal::operator("ann"), mode, reason.clone()))
            .unwrap()
    };
    let stance = set(Mode::Paused, "maintenance");
    assert_eq!(stance.set_by.as_deref(), Some("ann"));
    assert_eq!(
        set(Mode::Paused, "maintenance"),
        stance,
        "again is no change"
    );
    let error = report(store, &jordan, running()).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Forbidden, "operator_mode"));
    report(store, &jordan, over(1)).unwrap();
    set(Mode::Normal, "done");
    report(store, &jordan, running()).unwrap();
    let query = TrailQuery {
        kinds: vec!["operator.mode_changed".into()],
        limit: 10,
        ..TrailQuery::default()
    };
    assert_eq!(store.read(move |tx| tx.trail(&query)).unwrap().len(), 2);
    let error = store
        .write(move |tx| operator::set(tx, &jordan, Mode::Normal, None))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
}

fn costs_are_told_by_model_and_kind_of_task(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let riley = specialist(store, "riley");
    let task = begun(store, &jordan, TaskKind::Content);
    let with = |model: &str, cents| NewReport {
        model: model.into(),
        ..over(cents)
    };
    report(store, &jordan, with("small", 10)).unwrap();
    report(store, &jordan, with("large", 20)).unwrap();
    let on_task = NewReport {
        task: Some(task.id),
        ..with("large", 25)
    };
    report(store, &jordan, on_task).unwrap();
    report(store, &riley, with("large", 70)).unwrap();
    let costs = |period| {
        store
            .read(move |tx| stats::costs(tx, &tenant(), &"jordan".parse()?, period))
            .unwrap()
    };
    let today = costs(Period::Day);
    assert_eq!((today.sum.cost, today.sum.runs), (MicroUsd::cents(55), 3));
    assert_eq!(today.average(), MicroUsd(183_333));
    let by_model: Vec<_> = today
        .by_model
        .iter()
        .map(|(model, sum)| (model.as_str(), sum.cost, sum.runs))
        .collect();
    assert_eq!(
        by_model,
        [
            ("large", MicroUsd::cents(45), 2),
            ("small", MicroUsd::cents(10), 1)
        ]
    );
    let by_kind: Vec<_> = today
        .by_kind
        .iter()
        .map(|(it, sum)| (*it, sum.cost))
        .collect();
    assert_eq!(
        by_kind,
        [
            (None, MicroUsd::cents(30)),
            (Some(TaskKind::Content), MicroUsd::cents(25))
        ]
    );
    after_noon(store, 24 * HOUR);
    assert_eq!(costs(Period::Day).sum.runs, 0);
    let error = store
        .read(|tx| stats::costs(tx, &tenant(), &"nobody".parse()?, Period::Week))
        .unwrap_err();
    assert_eq!(error.code, "agent_not_found");
}

fn the_overview_counts_what_there_is(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    begun(store, &jordan, TaskKind::Content);
    report(store, &jordan, over(500)).unwrap();
    let look = |tenant: Option<&str>| {
        let tenant = tenant.map(|it| it.parse().unwrap());
        store
            .read(move |tx| stats::overview(tx, tenant.as_ref()))
            .unwrap()
    };
    let all = look(None);
    let waiting: Vec<_> = all.tasks.iter().map(|it| (it.state, it.count)).collect();
    assert_eq!(waiting, [(State::NeedsApproval, 1)]);
    let paused = all.agents.iter().find(|(_, count)| *count > 0).unwrap();
    assert_eq!(paused.0.as_str(), "PAUSED");
    assert_eq!(all.pending_approvals, 1);
    assert_eq!((all.open_alerts, all.critical_alerts), (3, 0));
    assert_eq!(all.today.cost, MicroUsd::dollars(5));
    assert_eq!(all.month.cost, MicroUsd::dollars(5));
    let none = look(Some("elsewhere"));
    assert!(none.tasks.is_empty());
    assert_eq!(none.week.cost, MicroUsd::ZERO);
}

fn a_standup_tells_the_day_so_far(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    begun(store, &jordan, TaskKind::Content);
    report(store, &jordan, over(45)).unwrap();
    let today = store
        .read(|tx| standup::report(tx, &tenant(), None))
        .unwrap();
    let crew = &today.agents;
    assert_eq!((crew.total, crew.active, crew.paused), (1, 1, 0));
    let member = &crew.list[0];
    assert_eq!((member.working, member.completed), (1, 0));
    assert_eq!(member.spent_today, MicroUsd::cents(45));
    assert!(today.tasks.contains(&(State::InProgress, 1)));
    assert_eq!(today.spent_last_day, MicroUsd::cents(45));
    let text = today.to_markdown();
    for part in [
        "# Standup ",
        "- jordan (SPECIALIST, ACTIVE): 1 in progress, 0 done today, 0.45 of 5.00 USD spent",
        "- IN_PROGRESS: 1",
        "- today: 0.45 USD",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let error = |date: &str| {
        let date = Some(date.parse().unwrap());
        let asked = store.read(move |tx| standup::report(tx, &tenant(), date));
        asked.unwrap_err().kind
    };
    assert_eq!(error("2020-01-01"), Kind::NotFound);
    assert_eq!(error("2999-01-01"), Kind::Invalid);
}

fn a_mornings_standup_is_kept_once_and_told(store: &TestStore) {
    // After this noon comes a morning; a little before nine nothing is due yet.
    after_noon(store, 18 * HOUR);
    let jordan = specialist(store, "jordan");
    report(store, &jordan, over(45)).unwrap();
    after_noon(store, 21 * HOUR - 60);
    let settle = || store.write(|tx| standup::settle_due(tx, 10)).unwrap();
    assert_eq!(settle(), 0);
    after_noon(store, 21 * HOUR);
    assert_eq!((settle(), settle()), (1, 0));
    let filter = NotificationFilter {
        target: Some(Target::Operator),
        kind: Some(Type::Digest),
        ..NotificationFilter::default()
    };
    let told = store
        .read(move |tx| tx.notifications_of(Some(&tenant()), &filter, 10))
        .unwrap();
    assert_eq!(told.len(), 1);
    let today = store
        .read(|tx| standup::report(tx, &tenant(), None))
        .unwrap()
        .date;
    after_noon(store, 45 * HOUR);
    let yesterday = today.parse().unwrap();
    let kept = store
        .read(move |tx| standup::report(tx, &tenant(), Some(yesterday)))
        .unwrap();
    assert_eq!((kept.date, kept.spent_today), (today, MicroUsd::cents(45)));
    assert_eq!(settle(), 0, "nothing happened since");
}

/// A day of another zone begins when it does there.
#[test]
fn days_are_counted_in_the_configured_zone() {
    let zone = TimeZone::get("Asia/Kathmandu").unwrap();
    let store = TestStore::sqlite_in(zone, Bounds::default());
    // Ten past midnight in Kathmandu, some day soon, is 18:25 in UTC.
    after_noon(&store, 6 * HOUR + 25 * 60);
    let day = store.read(budget::day).unwrap();
    let time = |at: Timestamp| at.to_string()[11..].to_owned();
    assert_eq!(time(day.begins_at), "18:15:00.000Z");
    assert_eq!(day.ends_at.0 - day.begins_at.0, 24 * 3_600_000);
    let since = day.now.0 - day.begins_at.0;
    assert!((0..1_800_000).contains(&since), "{day:?}");
}
