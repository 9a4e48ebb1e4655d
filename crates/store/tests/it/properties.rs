//! What holds whatever the order of things.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stationmaster_kernel::notification::{self, Failure, MAX_ATTEMPTS, NewNotification, Type};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{self, NewTask, TaskChange};
use stationmaster_kernel::{Principal, Result};

use crate::support::{TestStore, agent, on_both, titled};

on_both!(
    status_words_map_to_states_whatever_their_order,
    no_sequence_of_settlings_breaks_a_notification,
);

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    })
}

/// Whatever words are written in whatever order: the word is kept, and the state is that of the
/// last word that means one.
fn status_words_map_to_states_whatever_their_order(store: &TestStore) {
    let word = prop::sample::select(vec![
        "pending",
        "in_progress",
        "blocked",
        "completed",
        "cancelled",
        "x",
        "later",
        "COMPLETED",
    ]);
    let words = (
        prop::option::of(word.clone()),
        prop::collection::vec(word, 0..8),
    );
    let cases = |(first, words): (Option<&str>, Vec<&str>)| {
        let status = first.map(str::to_owned);
        let mut made = store
            .write(move |tx| {
                let new = NewTask {
                    status: status.clone(),
                    ..titled("property")
                };
                task::create(tx, &agent("t", "a"), new)
            })
            .unwrap();
        let mut expected = match first {
            Some(word) => State::of_word(word).unwrap_or(State::Inbox),
            None => State::InProgress,
        };
        prop_assert_eq!(made.state, expected);
        prop_assert_eq!(made.status, first.unwrap_or("in_progress"));
        for word in words {
            let (id, status) = (made.id.clone(), Some(word.to_owned()));
            made = store
                .write(move |tx| {
                    let change = TaskChange {
                        status: status.clone(),
                        ..TaskChange::default()
                    };
                    task::update(tx, &agent("t", "a"), &id, change)
                })
                .unwrap();
            expected = State::of_word(word).unwrap_or(expected);
            prop_assert_eq!((made.state, made.status.as_str()), (expected, word));
        }
        Ok(())
    };
    runner().run(&words, cases).unwrap();
}

/// Something that may happen to a notification.
#[derive(Debug, Clone, Copy)]
enum Act {
    Take,
    Deliver { fenced: bool },
    Fail { fenced: bool, retryable: bool },
    Renew,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Take),
        any::<bool>().prop_map(|fenced| Act::Deliver { fenced }),
        (any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(fenced, retryable)| Act::Fail { fenced, retryable }),
        Just(Act::Renew),
        prop::sample::select(vec![3, 61, 700]).prop_map(Act::Wait),
    ]
}

/// Whatever happens to it in whatever order, a notification is never both delivered and dead, is
/// never tried too often, goes on only with the newest fence, and is given out exactly while it is
/// open and due.
fn no_sequence_of_settlings_breaks_a_notification(store: &TestStore) {
    let (clock, cases) = (Cell::new(Duration::ZERO), Cell::new(0));
    let case = |acts: Vec<Act>| {
        // An agent of its own, so that nothing an earlier case left behind is in the way.
        cases.set(cases.get() + 1);
        let target = format!("x{}", cases.get());
        let id = store
            .write(move |tx| {
                let new = NewNotification {
                    target: target.parse()?,
                    kind: Type::System,
                    content: "property".into(),
                    task: None,
                    metadata: None,
                };
                let who = Principal::system().within("p".parse()?)?;
                Ok(notification::create(tx, &who, new)?.id)
            })
            .unwrap();
        let mut fence = None;
        for act in acts {
            if let Act::Wait(seconds) = act {
                clock.set(clock.get() + Duration::from_secs(seconds));
                store.move_clock(clock.get());
            }
            let of = id.clone();
            // Refusals are part of the game.
            let taken = store.write(move |tx| perform(tx, act, &of, fence));
            fence = taken.ok().flatten().or(fence);
            let of = id.clone();
            let (found, due, now) = store
                .read(move |tx| {
                    let due = tx.due_notifications(&"p".parse()?, tx.now(), 1000)?;
                    let found = tx.notification(&of)?;
                    Ok((found, due.iter().any(|it| it.id == of), tx.now()))
                })
                .unwrap();
            let found = found.unwrap();
            prop_assert!(found.delivered_at.is_none() || found.dead_at.is_none());
            prop_assert!(found.attempts <= MAX_ATTEMPTS);
            prop_assert!(found.attempts < MAX_ATTEMPTS || !found.is_open());
            prop_assert!(fence.is_none_or(|fence| fence <= found.lease.fence));
            let expected =
                found.is_open() && found.next_attempt_at <= now && !found.lease.is_held(now);
            prop_assert_eq!(due, expected, "{:?}", found);
        }
        Ok(())
    };
    runner()
        .run(&prop::collection::vec(act(), 1..16), case)
        .unwrap();
}

/// Does it; gives the fence when it took the notification.
fn perform(
    tx: &mut dyn stationmaster_kernel::Tx,
    act: Act,
    id: &stationmaster_kernel::NotificationId,
    fence: Option<stationmaster_kernel::lease::Fence>,
) -> Result<Option<stationmaster_kernel::lease::Fence>> {
    let who = Principal::system();
    let lease = Duration::from_secs(60);
    match act {
        Act::Take => {
            let taken = notification::take_due(tx, &who, "worker", 100, lease)?;
            let ours = taken.into_iter().find(|it| it.id == *id);
            return Ok(ours.map(|it| it.lease.fence));
        }
        Act::Deliver { fenced } => {
            let fence = fence.filter(|_| fenced);
            notification::deliver(tx, &who, id, fence)?;
        }
        Act::Fail { fenced, retryable } => {
            let failure = Failure {
                error: "no".into(),
                retryable,
                retry_after: None,
            };
            let fence = fence.filter(|_| fenced);
            notification::fail(tx, &who, id, fence, failure)?;
        }
        Act::Renew => {
            if let Some(fence) = fence {
                notification::renew(tx, &who, id, fence, lease)?;
            }
        }
        Act::Wait(_) => {}
    }
    Ok(None)
}
