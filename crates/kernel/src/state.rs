//! The states of a task and the arcs between them, as one table.

use serde::{Deserialize, Serialize};

/// Where a task stands. The names are those of the OpenClaw contract, §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Inbox,
    Assigned,
    InProgress,
    Review,
    NeedsApproval,
    Blocked,
    Done,
    Canceled,
}

use State::{Assigned, Blocked, Canceled, Done, InProgress, Inbox, NeedsApproval, Review};

/// Every arc that exists (OpenClaw contract §5.1). Who may take one and what it requires is said
/// where the arc is taken.
pub const ARCS: &[(State, &[State])] = &[
    (Inbox, &[Assigned, NeedsApproval, Blocked, Canceled]),
    (
        Assigned,
        &[Inbox, InProgress, NeedsApproval, Blocked, Canceled],
    ),
    (InProgress, &[Review, NeedsApproval, Blocked, Canceled]),
    (
        Review,
        &[InProgress, NeedsApproval, Blocked, Done, Canceled],
    ),
    (
        NeedsApproval,
        &[Inbox, Assigned, InProgress, Review, Blocked, Done, Canceled],
    ),
    (Blocked, &[Assigned, InProgress, NeedsApproval, Canceled]),
    (Done, &[]),
    (Canceled, &[]),
];

impl State {
    pub const ALL: [Self; 8] = [
        Inbox,
        Assigned,
        InProgress,
        Review,
        NeedsApproval,
        Blocked,
        Done,
        Canceled,
    ];

    /// Where a task may go from here.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        ARCS.iter()
            .find(|(from, _)| *from == self)
            .map_or(&[], |(_, to)| to)
    }

    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// Nothing leads out of here.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Inbox => "INBOX",
            Assigned => "ASSIGNED",
            InProgress => "IN_PROGRESS",
            Review => "REVIEW",
            NeedsApproval => "NEEDS_APPROVAL",
            Blocked => "BLOCKED",
            Done => "DONE",
            Canceled => "CANCELED",
        }
    }

    /// The state of this name, in upper snake case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state that a free status word means, if it means one (design §1).
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "pending" => Inbox,
            "in_progress" => InProgress,
            "blocked" => Blocked,
            "completed" => Done,
            "cancelled" => Canceled,
            _ => return None,
        })
    }

    /// The free status word that tells this state (rulings 1).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Inbox | Assigned => "pending",
            InProgress | Review => "in_progress",
            NeedsApproval | Blocked => "blocked",
            Done => "completed",
            Canceled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix of the contract, drawn as it is drawn there.
    #[test]
    fn the_arcs_are_those_of_the_contract() {
        let matrix = [
            ". x . . x x . x",
            "x . x . x x . x",
            ". . . x x x . x",
            ". . x . x x x x",
            "x x x x . x x x",
            ". x x . x . . x",
            ". . . . . . . .",
            ". . . . . . . .",
        ];
        for (from, row) in State::ALL.into_iter().zip(matrix) {
            for (to, cell) in State::ALL.into_iter().zip(row.split(' ')) {
                assert_eq!(from.may_become(to), cell == "x", "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn only_done_and_canceled_are_terminal() {
        let terminal: Vec<_> = State::ALL.into_iter().filter(|s| s.is_terminal()).collect();
        assert_eq!(terminal, [Done, Canceled]);
    }

    #[test]
    fn a_word_comes_back_from_the_state_it_means() {
        for word in [
            "pending",
            "in_progress",
            "blocked",
            "completed",
            "cancelled",
        ] {
            assert_eq!(State::of_word(word).map(State::word), Some(word));
        }
        assert_eq!(State::of_word("on_hold"), None);
    }

    #[test]
    fn names_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
