//! What agents hand in: plans, deliverables, checklists and artifacts. How large they may be, and
//! how they are kept: without secrets, and with the size and digest of what is kept (OpenClaw
//! contract §1, §3, §8.4).

use crate::error::Problems;
use crate::{policy, text};

use super::{Artifact, Checklist, Deliverable, Plan};

const LARGEST_CONTENT: usize = 1 << 20;
const MOST_ARTIFACTS: usize = 50;
const LONGEST_NAME: usize = 500;
const LONGEST_BULLET: usize = 2_000;
const LONGEST_DURATION: usize = 100;
const MOST_ITEMS: usize = 200;
const LONGEST_LABEL: usize = 500;
/// Of notes and summaries.
const LONGEST_NOTE: usize = 10_000;

impl Artifact {
    /// Takes out what looks like a secret and measures what is left; says whether there was any.
    fn seal(&mut self) -> bool {
        let Some(content) = &mut self.content else {
            return false;
        };
        let redacted = redact(content);
        self.size = Some(content.len() as u64);
        self.sha256 = Some(policy::digest(content.as_bytes()));
        redacted
    }
}

impl Plan {
    /// As it is kept: its steps are posted on the thread, where nobody should read a secret.
    pub(super) fn sealed(mut self) -> Self {
        for bullet in &mut self.bullets {
            redact(bullet);
        }
        self
    }
}

impl Deliverable {
    /// As it is kept.
    pub(super) fn sealed(mut self) -> Self {
        let mut redacted = Vec::new();
        if redact(&mut self.content) {
            redacted.push("content".to_owned());
        }
        if self.summary.as_mut().is_some_and(redact) {
            redacted.push("summary".to_owned());
        }
        seal_artifacts(&mut self.artifacts, &mut redacted);
        self.redacted = redacted;
        self
    }
}

/// Artifacts as they are kept; names those with something taken out.
pub(crate) fn seal_artifacts(artifacts: &mut [Artifact], redacted: &mut Vec<String>) {
    for (index, artifact) in artifacts.iter_mut().enumerate() {
        if artifact.seal() {
            redacted.push(format!("artifacts[{index}].content"));
        }
    }
}

impl Checklist {
    /// As it is kept.
    pub(super) fn sealed(mut self) -> Self {
        for item in &mut self.items {
            redact(&mut item.label);
            if let Some(note) = &mut item.note {
                redact(note);
            }
        }
        if let Some(notes) = &mut self.notes {
            redact(notes);
        }
        self
    }
}

/// Whether there was something to take out.
fn redact(text: &mut String) -> bool {
    let (clean, kinds) = policy::redact(text);
    *text = clean;
    !kinds.is_empty()
}

/// Finds what is too long or too many in whatever is handed in together.
pub(super) fn check_sizes(
    problems: &mut Problems,
    plan: Option<&Plan>,
    deliverable: Option<&Deliverable>,
    checklist: Option<&Checklist>,
) {
    if let Some(plan) = plan {
        for (index, bullet) in plan.bullets.iter().enumerate() {
            let field = format!("workPlan.bullets[{index}]");
            check_length(problems, &field, Some(bullet), LONGEST_BULLET);
        }
        let duration = plan.estimated_duration.as_deref();
        check_length(
            problems,
            "workPlan.estimatedDuration",
            duration,
            LONGEST_DURATION,
        );
    }
    if let Some(deliverable) = deliverable {
        check_content(
            problems,
            "deliverable.content",
            Some(deliverable.content.as_str()),
        );
        let summary = deliverable.summary.as_deref();
        check_length(problems, "deliverable.summary", summary, LONGEST_NOTE);
        check_artifacts(problems, "deliverable.artifacts", &deliverable.artifacts);
    }
    if let Some(checklist) = checklist {
        check_items(problems, checklist);
    }
}

fn check_items(problems: &mut Problems, checklist: &Checklist) {
    if checklist.items.len() > MOST_ITEMS {
        problems.add(
            "reviewChecklist.items",
            format!("must hold at most {MOST_ITEMS} items"),
        );
    }
    for (index, item) in checklist.items.iter().enumerate().take(MOST_ITEMS) {
        let field = |name: &str| format!("reviewChecklist.items[{index}].{name}");
        check_length(
            problems,
            &field("label"),
            Some(item.label.as_str()),
            LONGEST_LABEL,
        );
        check_length(problems, &field("note"), item.note.as_deref(), LONGEST_NOTE);
    }
    let notes = checklist.notes.as_deref();
    check_length(problems, "reviewChecklist.notes", notes, LONGEST_NOTE);
}

/// Checks what a message or a deliverable brings along: names and sizes.
pub(crate) fn check_artifacts(problems: &mut Problems, field: &str, artifacts: &[Artifact]) {
    if artifacts.len() > MOST_ARTIFACTS {
        problems.add(field, format!("must hold at most {MOST_ARTIFACTS}"));
    }
    for (index, artifact) in artifacts.iter().enumerate().take(MOST_ARTIFACTS) {
        let field = |name: &str| format!("{field}[{index}].{name}");
        text::check_present(problems, &field("name"), &artifact.name);
        check_length(
            problems,
            &field("name"),
            Some(artifact.name.as_str()),
            LONGEST_NAME,
        );
        check_content(problems, &field("content"), artifact.content.as_deref());
    }
}

/// Checks content that is kept inline: at most 1 MiB.
pub(crate) fn check_content(problems: &mut Problems, field: &str, content: Option<&str>) {
    if content.is_some_and(|content| content.len() > LARGEST_CONTENT) {
        problems.add(
            field,
            "must be at most 1 MiB; give an artifact with a url instead",
        );
    }
}

/// Checks a text against its greatest length in characters.
pub(super) fn check_length(
    problems: &mut Problems,
    field: &str,
    text: Option<&str>,
    longest: usize,
) {
    if text.is_some_and(|text| text.chars().count() > longest) {
        problems.add(field, format!("must be at most {longest} characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ChecklistItem;

    fn faults(
        plan: Option<&Plan>,
        deliverable: Option<&Deliverable>,
        checklist: Option<&Checklist>,
    ) -> Vec<String> {
        let mut problems = Problems::default();
        check_sizes(&mut problems, plan, deliverable, checklist);
        let found = problems.into_result().err().map(|error| error.problems);
        found
            .unwrap_or_default()
            .into_iter()
            .map(|problem| problem.field)
            .collect()
    }

    #[test]
    fn what_is_kept_is_measured() {
        let bare = Artifact {
            name: "post.md".into(),
            ..Artifact::default()
        };
        let with_content = Artifact {
            content: Some("héllo".into()),
            ..bare.clone()
        };
        let sealed = Deliverable {
            artifacts: vec![bare, with_content],
            ..Deliverable::default()
        }
        .sealed();
        assert_eq!(sealed.artifacts[0].size, None, "nothing to measure");
        assert_eq!(sealed.artifacts[1].size, Some(6), "bytes, not characters");
        let digest = "3c48591d8d098a4538f5e013dfcf406e948eac4d3277b10bf614e295d6068179";
        assert_eq!(sealed.artifacts[1].sha256.as_deref(), Some(digest));
    }

    #[test]
    fn everything_that_is_too_large_is_named_at_once() {
        let long = |length: usize| "x".repeat(length);
        let plan = Plan {
            bullets: vec!["ok".into(), long(LONGEST_BULLET + 1)],
            estimated_duration: Some(long(LONGEST_DURATION + 1)),
            ..Plan::default()
        };
        let deliverable = Deliverable {
            content: long(LARGEST_CONTENT + 1),
            summary: Some(long(LONGEST_NOTE + 1)),
            artifacts: vec![Artifact {
                name: " ".into(),
                content: Some(long(LARGEST_CONTENT + 1)),
                ..Artifact::default()
            }],
            ..Deliverable::default()
        };
        let checklist = Checklist {
            items: vec![ChecklistItem {
                label: long(LONGEST_LABEL + 1),
                ..ChecklistItem::default()
            }],
            ..Checklist::default()
        };
        assert_eq!(
            faults(Some(&plan), Some(&deliverable), Some(&checklist)),
            [
                "workPlan.bullets[1]",
                "workPlan.estimatedDuration",
                "deliverable.content",
                "deliverable.summary",
                "deliverable.artifacts[0].name",
                "deliverable.artifacts[0].content",
                "reviewChecklist.items[0].label",
            ]
        );
    }

    #[test]
    fn what_is_just_small_enough_passes() {
        let deliverable = Deliverable {
            content: "x".repeat(LARGEST_CONTENT),
            ..Deliverable::default()
        };
        assert_eq!(faults(None, Some(&deliverable), None), [""; 0]);
    }
}
