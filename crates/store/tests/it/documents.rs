//! Documents: kept as given, found by task and type.

use stationmaster_kernel::document::{self, DocumentFilter, NewDocument};
use stationmaster_kernel::{Kind, Page, Principal, TaskId};

use crate::support::{TestStore, agent, on_both};

on_both!(
    documents_keep_their_type,
    a_document_comes_back_as_it_was_kept,
    a_document_needs_a_task_and_a_title,
);

fn documents_keep_their_type(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    for doc_type in [None, Some("plan")] {
        let (who, new) = (
            who.clone(),
            NewDocument {
                task: task.id.clone(),
                title: "D".into(),
                content: String::new(),
                doc_type: doc_type.map(str::to_owned),
            },
        );
        store
            .write(move |tx| document::create(tx, &who, new.clone()))
            .unwrap();
    }
    let types = |filter: DocumentFilter| {
        let who = who.clone();
        let list = store
            .read(move |tx| document::list(tx, &who, &filter, Page::first(10)))
            .unwrap();
        list.items
            .into_iter()
            .map(|document| document.doc_type)
            .collect::<Vec<_>>()
    };
    assert_eq!(types(DocumentFilter::default()), ["plan", "note"]);
    assert_eq!(
        types(DocumentFilter {
            doc_type: Some("plan".into()),
            task: Some(task.id)
        }),
        ["plan"]
    );
}

fn a_document_comes_back_as_it_was_kept(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    let (caller, new) = (
        who.clone(),
        NewDocument {
            task: task.id,
            title: "A plan".into(),
            content: "# é\n".repeat(5000),
            doc_type: Some("plan".into()),
        },
    );
    let kept = store
        .write(move |tx| document::create(tx, &caller, new.clone()))
        .unwrap();
    let get = |who: Principal| {
        let id = kept.id.clone();
        store.read(move |tx| document::get(tx, &who, &id))
    };
    assert_eq!(get(who).unwrap(), kept);
    assert_eq!(get(Principal::operator("ann")).unwrap(), kept);
    let error = get(agent("u", "writer")).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::NotFound, "document_not_found")
    );
}

fn a_document_needs_a_task_and_a_title(store: &TestStore) {
    let task = store.task(&agent("t", "a"), "one");
    let check = |who: Principal, task: TaskId, title: &str, expected: Kind| {
        let new = NewDocument {
            task,
            title: title.into(),
            content: String::new(),
            doc_type: None,
        };
        let outcome = store.write(move |tx| document::create(tx, &who, new.clone()));
        assert_eq!(outcome.unwrap_err().kind, expected);
    };
    check(agent("t", "a"), task.id.clone(), " ", Kind::Invalid);
    check(agent("t", "a"), TaskId::new("none"), "D", Kind::NotFound);
    check(agent("u", "a"), task.id, "D", Kind::NotFound);
}
