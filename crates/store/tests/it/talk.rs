//! What is said on a task, who hears of it, and when it is too much (OpenClaw contract §9.5, §12).

use std::time::Duration;

use stationmaster_kernel::agent::Rank;
use stationmaster_kernel::alert::AlertFilter;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::message::{self, ActorType, MessageKind, NewMessage, Post, Posted};
use stationmaster_kernel::notification::{self, Type};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{Artifact, Task};
use stationmaster_kernel::{Kind, MessageId, Principal, Result};

use crate::board::{claim, fields, make, member, now, open, told, wanted};
use crate::steps::{because, begin, begun, step, submit};
use crate::support::{TestStore, on_both, person};

on_both!(
    names_are_told_once_and_unknown_ones_are_reported,
    names_are_agents_ids_before_what_people_call_them,
    all_are_those_who_work_on_a_task_or_follow_it,
    every_problem_of_a_message_is_named,
    an_artifact_says_enough_by_itself,
    a_follower_hears_of_the_steps_that_matter,
    everything_is_acknowledged_at_once,
    too_many_messages_of_agents_block_a_task_once,
    what_the_server_posts_of_a_step_does_not_count,
    people_may_say_as_much_as_they_like,
    two_agents_in_turn_are_stopped,
    the_fourth_return_from_review_is_one_too_many,
    a_flood_through_the_other_surface_is_stopped_too,
);

fn say(store: &TestStore, who: &Principal, task: &Task, post: Post) -> Result<Posted> {
    let (who, id) = (who.clone(), task.id.clone());
    store.write(move |tx| message::say(tx, &who, &id, post.clone()))
}

fn comment(store: &TestStore, who: &Principal, task: &Task, content: &str) -> Posted {
    say(store, who, task, Post::of(MessageKind::Comment, content)).unwrap()
}

fn mentions(store: &TestStore, name: &str) -> usize {
    let found = told(store, name);
    found.iter().filter(|it| it.0 == Type::Mention).count()
}

fn names_are_told_once_and_unknown_ones_are_reported(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    member(store, "riley", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    let post = Post {
        mentions: vec!["@Riley".into(), "ghost".into()],
        ..Post::of(
            MessageKind::Comment,
            "@riley and @jordan: see `@nobody`, mail a@b.example, ask @operator",
        )
    };
    let posted = say(store, &jordan, &task, post).unwrap();
    let told_of: Vec<(&str, bool)> = posted
        .told
        .iter()
        .map(|(name, queued)| (name.as_str(), *queued))
        .collect();
    assert_eq!(
        told_of,
        [("riley", true), ("ghost", false), ("operator", true)]
    );
    assert_eq!(mentions(store, "riley"), 1);
    assert_eq!(mentions(store, "jordan"), 0, "nobody tells itself");
    let operators = told(store, "@operator");
    assert_eq!(operators[0].0, Type::Mention);
    assert!(operators[0].1.starts_with("@operator and"), "{operators:?}");
}

fn names_are_agents_ids_before_what_people_call_them(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    member(store, "maya", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    comment(store, &jordan, &task, "@MAYA hello");
    assert_eq!(mentions(store, "maya"), 1);
    let by_name = Post {
        mentions: vec!["Maya The Agent".into()],
        ..Post::of(MessageKind::Comment, "hello again")
    };
    say(store, &jordan, &task, by_name).unwrap();
    assert_eq!(mentions(store, "maya"), 2);
}

fn all_are_those_who_work_on_a_task_or_follow_it(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    member(store, "idle", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    comment(store, &riley, &task, "I follow now that I spoke");
    comment(store, &jordan, &task, "@all please look");
    assert_eq!(mentions(store, "riley"), 1);
    assert_eq!(mentions(store, "@operator"), 1, "who made it follows it");
    assert_eq!(mentions(store, "jordan"), 0);
    assert_eq!(mentions(store, "idle"), 0);
}

fn every_problem_of_a_message_is_named(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    let elsewhere = open(store, TaskKind::Content);
    let other = comment(store, &jordan, &elsewhere, "x").message.id;
    let artifact = |name: &str, length: usize| Artifact {
        name: name.to_owned(),
        content: Some("x".repeat(length)),
        ..Artifact::default()
    };
    let post = Post {
        artifacts: vec![artifact("fine", 1 << 20), artifact("", (1 << 20) + 1)],
        reply_to: Some(other),
        ..Post::of(MessageKind::System, "x".repeat(10_001))
    };
    let error = say(store, &jordan, &task, post).unwrap_err();
    assert_eq!(
        fields(&error),
        [
            "type",
            "content",
            "artifacts[1].name",
            "artifacts[1].content",
            "replyToId"
        ]
    );
    let blank = say(
        store,
        &jordan,
        &task,
        Post::of(MessageKind::Progress, " \n"),
    );
    assert_eq!(fields(&blank.unwrap_err()), ["content"]);
    for server_only in [MessageKind::WorkPlan, MessageKind::ApprovalRequest] {
        let error = say(store, &jordan, &task, Post::of(server_only, "x")).unwrap_err();
        assert_eq!(fields(&error), ["type"]);
    }
    let unknown = Post {
        reply_to: Some(MessageId::new("msg_none")),
        ..Post::of(MessageKind::Comment, "x")
    };
    let error = say(store, &jordan, &task, unknown).unwrap_err();
    assert_eq!(
        (error.kind, fields(&error)),
        (Kind::Invalid, vec!["replyToId"])
    );
}

fn an_artifact_says_enough_by_itself(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    let bare = Artifact {
        name: "post.md".into(),
        kind: "DELIVERABLE".into(),
        ..Artifact::default()
    };
    let post = Post {
        artifacts: vec![bare],
        ..Post::of(MessageKind::Artifact, "")
    };
    let posted = say(store, &jordan, &task, post).unwrap().message;
    assert_eq!(posted.detail.artifacts[0].sha256, None);
    let long = Post::of(MessageKind::Artifact, "x".repeat(20_000));
    let long = say(store, &jordan, &task, long).unwrap().message;
    let id = task.id.clone();
    let found = store
        .read(move |tx| tx.thread(&id, Some(MessageKind::Artifact), None, 10))
        .unwrap();
    assert_eq!(found, [long, posted], "newest first, as they were posted");
}

fn a_follower_hears_of_the_steps_that_matter(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    comment(store, &riley, &task, "Following");
    claim(store, &jordan, &task).unwrap();
    step(store, &jordan, &task, begin()).unwrap();
    step(store, &jordan, &task, submit()).unwrap();
    step(
        store,
        &person("t"),
        &task,
        because(State::InProgress, "More"),
    )
    .unwrap();
    let lines: Vec<String> = told(store, "riley").into_iter().map(|it| it.1).collect();
    assert_eq!(lines, ["Some work is REVIEW"]);
    let id = task.id.clone();
    let who = riley.clone();
    store
        .write(move |tx| stationmaster_kernel::subscription::unfollow(tx, &who, &id))
        .unwrap();
    store.move_clock(Duration::from_secs(600));
    step(store, &jordan, &task, submit()).unwrap();
    assert_eq!(told(store, "riley").len(), 1);
}

fn everything_is_acknowledged_at_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    comment(store, &riley, &task, "@jordan an old one");
    store.move_clock(Duration::from_secs(25 * 3600));
    for number in 0..3 {
        comment(store, &riley, &task, &format!("@jordan {number}"));
    }
    comment(store, &jordan, &task, "@riley yours");
    let mark = |who: &Principal| {
        let who = who.clone();
        store
            .write(move |tx| notification::mark_all_read(tx, &who))
            .unwrap()
    };
    assert_eq!(mark(&jordan), 3, "what is too old counts no more");
    assert_eq!(mark(&jordan), 0);
    assert_eq!(mark(&riley), 1, "nobody's but one's own");
}

fn alerts(store: &TestStore) -> Vec<String> {
    let found = store
        .read(|tx| tx.alerts(&AlertFilter::default(), 0, 50))
        .unwrap();
    found.into_iter().map(|alert| alert.title).collect()
}

fn summaries(store: &TestStore, task: &Task) -> Vec<String> {
    let id = task.id.clone();
    let found = store
        .read(move |tx| tx.messages_with_artifacts(&id, 50))
        .unwrap();
    found
        .into_iter()
        .flat_map(|message| message.detail.artifacts)
        .map(|artifact| artifact.name)
        .collect()
}

fn too_many_messages_of_agents_block_a_task_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    // Its plan is the server's message and does not count.
    for number in 1..=20 {
        comment(store, &jordan, &task, &format!("Thought {number}"));
    }
    assert_eq!(now(store, &task).state, State::InProgress);
    for _ in 0..3 {
        comment(store, &jordan, &task, "One too many");
    }
    let blocked = now(store, &task);
    assert_eq!(blocked.state, State::Blocked);
    assert_eq!(
        blocked.detail.blocked_reason.as_deref(),
        Some("Loop detected: COMMENT_FLOOD")
    );
    assert_eq!(summaries(store, &task), ["loop-summary-COMMENT_FLOOD.md"]);
    assert_eq!(alerts(store), ["COMMENT_FLOOD on Some work"]);

    // From when it goes on, they are counted anew.
    step(
        store,
        &person("t"),
        &task,
        because(State::InProgress, "Calm"),
    )
    .unwrap();
    store.move_clock(Duration::from_secs(1));
    for number in 1..=20 {
        comment(store, &jordan, &task, &format!("Again {number}"));
        assert_eq!(now(store, &task).state, State::InProgress, "{number}");
    }
    comment(store, &jordan, &task, "One too many again");
    assert_eq!(now(store, &task).state, State::Blocked);
    assert_eq!(alerts(store).len(), 2);
}

fn what_the_server_posts_of_a_step_does_not_count(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    for number in 1..=20 {
        comment(store, &jordan, &task, &format!("Thought {number}"));
    }
    let begun = step(store, &jordan, &task, begin()).unwrap();
    assert_eq!(begun.transition.to, State::InProgress);
    assert_eq!(begun.task.state, State::InProgress);
    comment(store, &jordan, &task, "One too many");
    assert_eq!(now(store, &task).state, State::Blocked);
}

fn people_may_say_as_much_as_they_like(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    for number in 0..30 {
        comment(store, &person("t"), &task, &format!("Remark {number}"));
    }
    comment(store, &jordan, &task, "Thanks");
    assert_eq!(now(store, &task).state, State::InProgress);
    // And what was said long ago counts no more.
    for number in 0..15 {
        comment(store, &jordan, &task, &format!("Early {number}"));
    }
    store.move_clock(Duration::from_secs(31 * 60));
    for number in 0..15 {
        comment(store, &jordan, &task, &format!("Late {number}"));
    }
    assert_eq!(now(store, &task).state, State::InProgress);
}

fn two_agents_in_turn_are_stopped(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let task = begun(store, &riley);
    store.move_clock(Duration::from_secs(11 * 60));
    for number in 0..8 {
        let who = [&jordan, &riley][number % 2];
        comment(store, who, &task, &format!("Turn {number}"));
        // People in between do not make it better.
        comment(store, &person("t"), &task, "Please stop");
    }
    assert_eq!(now(store, &task).state, State::InProgress);
    comment(store, &jordan, &task, "Turn 8");
    let blocked = now(store, &task);
    assert_eq!(
        blocked.detail.blocked_reason.as_deref(),
        Some("Loop detected: AGENT_PING_PONG")
    );
}

fn the_fourth_return_from_review_is_one_too_many(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let back = |number: u32| {
        step(store, &jordan, &task, submit()).unwrap();
        let feedback = because(State::InProgress, &format!("Again {number}"));
        step(store, &person("t"), &task, feedback).unwrap()
    };
    for number in 1..=3 {
        assert_eq!(back(number).task.state, State::InProgress);
    }
    let fourth = back(4);
    assert_eq!(
        (fourth.transition.to, fourth.task.state),
        (State::InProgress, State::Blocked),
        "it came back, and was stopped"
    );
    assert_eq!(fourth.task.detail.review_cycles, 4);
    assert_eq!(
        fourth.allowed,
        [
            State::Assigned,
            State::InProgress,
            State::NeedsApproval,
            State::Canceled
        ]
    );
    assert_eq!(summaries(store, &task), ["loop-summary-REVIEW_CYCLES.md"]);
    store.move_clock(Duration::from_secs(1));
    step(
        store,
        &person("t"),
        &task,
        because(State::InProgress, "Go on"),
    )
    .unwrap();
    for number in 5..=7 {
        assert_eq!(back(number).task.state, State::InProgress, "counted anew");
    }
}

fn a_flood_through_the_other_surface_is_stopped_too(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let post = |task: &Task| {
        let new = NewMessage {
            task: task.id.clone(),
            content: "And another thing".into(),
            actor_type: ActorType::Agent,
            actor_id: None,
            agent_role: None,
            attachments: None,
        };
        let who = jordan.clone();
        store
            .write(move |tx| message::post(tx, &who, new.clone()))
            .unwrap();
    };
    let task = make(store, &person("t"), wanted(TaskKind::Ops, "Gated")).unwrap();
    for _ in 0..21 {
        post(&task);
    }
    assert_eq!(now(store, &task).state, State::Blocked);
    let free = store.task(&jordan, "Free");
    for _ in 0..21 {
        post(&free);
    }
    assert_eq!(now(store, &free).state, free.state, "a free task goes on");
}
