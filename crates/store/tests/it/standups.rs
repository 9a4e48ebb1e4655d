//! Standups: one for each local date.

use std::time::Duration;

use stationmaster_kernel::standup::{self, DOC_TYPE, Standup, TASK_TITLE};
use stationmaster_kernel::{Kind, Principal, task};

use crate::support::{TestStore, agent, on_both};

on_both!(
    the_same_day_updates_the_same_document,
    the_next_day_gets_a_document_of_its_own,
    an_unknown_zone_is_refused,
    tenants_with_activity_are_found,
);

fn hold(store: &TestStore, zone: &'static str) -> Standup {
    store
        .write(move |tx| standup::hold(tx, &agent("t", "lead"), Some(zone)))
        .unwrap()
}

fn the_same_day_updates_the_same_document(store: &TestStore) {
    let first = hold(store, "UTC");
    store.task(&agent("t", "lead"), "fresh work");
    let second = hold(store, "UTC");
    assert_eq!(
        (&first.document, &first.task),
        (&second.document, &second.task)
    );
    assert!(second.content.contains("fresh work"), "{}", second.content);
    let (document, task) = (second.document.clone(), second.task.clone());
    let (document, task) = store
        .read(move |tx| {
            Ok((
                tx.document(&document)?.unwrap(),
                task::get(tx, &agent("t", "lead"), &task)?,
            ))
        })
        .unwrap();
    assert_eq!(
        (document.doc_type.as_str(), document.content),
        (DOC_TYPE, second.content)
    );
    assert_eq!(task.title, TASK_TITLE);
}

fn the_next_day_gets_a_document_of_its_own(store: &TestStore) {
    let first = hold(store, "UTC");
    store.move_clock(Duration::from_secs(86_400));
    let second = hold(store, "UTC");
    assert_ne!(first.date, second.date);
    assert_ne!(first.document, second.document);
    assert_eq!(first.task, second.task);
    assert_eq!(second.counts.messages, 0);
}

fn an_unknown_zone_is_refused(store: &TestStore) {
    let error = store
        .write(|tx| standup::hold(tx, &agent("t", "lead"), Some("Mars/Base")))
        .unwrap_err();
    assert_eq!(
        (error.kind, error.problems[0].field.as_str()),
        (Kind::Invalid, "timezone")
    );
}

fn tenants_with_activity_are_found(store: &TestStore) {
    for tenant in ["b", "a", "c"] {
        store.task(&agent(tenant, "x"), "one");
    }
    let active = |after: Option<&'static str>| {
        store
            .read(move |tx| {
                let after = after.map(str::parse).transpose()?;
                standup::active_tenants(tx, &Principal::internal(), None, after.as_ref(), 2)
            })
            .unwrap()
            .into_iter()
            .map(|tenant| tenant.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(active(None), ["a", "b"]);
    assert_eq!(active(Some("b")), ["c"]);
    store.move_clock(Duration::from_secs(2 * 86_400));
    assert!(active(None).is_empty());
    let error = store
        .read(|tx| standup::active_tenants(tx, &agent("a", "x"), None, None, 2))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
}
