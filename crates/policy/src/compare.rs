//! What other rules would have said: the dry run of a document.

use crate::{Action, Agent, Context, Decision, Risk, Rules, Verdict, decide};

/// An action whose verdict differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which of the actions it is, counted from 0.
    pub index: usize,
    pub before: Verdict,
    pub after: Verdict,
}

impl Change {
    /// Whether the new rules are stricter with it.
    #[must_use]
    pub fn is_stricter(&self) -> bool {
        let rank = |verdict: &Verdict| -> (Decision, Risk) { (verdict.decision, verdict.risk) };
        rank(&self.after) > rank(&self.before)
    }
}

/// Judges actions by old and by new rules, and tells those whose decision, risk or violations differ.
pub fn compare<'a>(
    old: &Rules,
    new: &Rules,
    actions: impl IntoIterator<Item = (&'a Action, &'a Agent, &'a Context)>,
) -> Vec<Change> {
    let differs = |before: &Verdict, after: &Verdict| {
        (before.decision, before.risk, &before.violations)
            != (after.decision, after.risk, &after.violations)
    };
    actions
        .into_iter()
        .enumerate()
        .filter_map(|(index, (action, agent, context))| {
            let before = decide(old, action, agent, context);
            let after = decide(new, action, agent, context);
            differs(&before, &after).then_some(Change {
                index,
                before,
                after,
            })
        })
        .collect()
}
