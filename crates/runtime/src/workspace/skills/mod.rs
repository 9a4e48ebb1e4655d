//! Skills: folders with a `SKILL.md` each (agent-runtime §6).
//!
//! A skill is read whole and judged here; what a prompt says about skills is in `shelf`, and what
//! a model is given when it asks for one in `load`.

mod front_matter;
mod gates;
mod load;
mod parsed;
mod shelf;

use std::sync::Arc;

use serde_json::Value;

use super::WorkspaceError;
use super::files::Files;
use front_matter::Head;
use parsed::Parsed;

pub use front_matter::Fault;
pub use gates::Machine;
pub(crate) use load::Loader;
pub(super) use parsed::Readings;
pub(super) use shelf::{Shelf, Told, told};

/// More folders than this are not looked at.
pub const MAX_SKILLS: usize = 256;
/// What the Agent Skills standard allows; more would make a catalog that is no catalog.
const LONGEST_DESCRIPTION: usize = 1_024;
const LONGEST_NAME: usize = 100;

/// The folder of skills in a workspace.
pub(super) const FOLDER: &str = "skills";
pub(super) const FILE: &str = "SKILL.md";

/// One skill of a workspace.
#[derive(Debug, Clone)]
pub struct Skill {
    /// The folder's name, which is the skill's unless it names itself.
    pub folder: String,
    pub name: String,
    /// May be empty.
    pub description: String,
    pub emoji: Option<String>,
    /// The front matter's, as it was written.
    pub metadata: Option<Value>,
    pub state: SkillState,
    body: Arc<str>,
    /// The folder holds more than the `SKILL.md`.
    has_more: bool,
}

/// Whether agents have a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkillState {
    Enabled,
    /// Something is missing here that the skill needs.
    Gated(String),
    /// Its `SKILL.md` cannot be understood.
    Broken(Fault),
}

impl Skill {
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state == SkillState::Enabled
    }

    /// Why agents do not have it.
    #[must_use]
    pub fn gate_reason(&self) -> Option<String> {
        match &self.state {
            SkillState::Enabled => None,
            SkillState::Gated(reason) => Some(reason.clone()),
            SkillState::Broken(fault) => Some(format!(
                "{}:{}: {}",
                self.location(),
                fault.line,
                fault.reason
            )),
        }
    }

    /// Its file, in the workspace.
    #[must_use]
    pub fn location(&self) -> String {
        location(&self.folder)
    }
}

pub(super) fn location(folder: &str) -> String {
    format!("{FOLDER}/{folder}/{FILE}")
}

/// Every skill of the workspace, by folder name.
pub(super) fn read(
    files: &Files,
    readings: &Readings,
    machine: &Machine,
) -> Result<Vec<Skill>, WorkspaceError> {
    let mut folders = files.folders(FOLDER)?;
    if folders.len() > MAX_SKILLS {
        tracing::warn!(
            folders = folders.len(),
            "only the first {MAX_SKILLS} skills are read"
        );
        folders.truncate(MAX_SKILLS);
    }
    let read = folders
        .into_iter()
        .filter_map(|folder| one(files, readings, machine, folder));
    Ok(read.collect())
}

fn one(files: &Files, readings: &Readings, machine: &Machine, folder: String) -> Option<Skill> {
    let parsed = match files.read_within(&location(&folder)) {
        Ok(Some(text)) => readings.of(&folder, &text),
        Ok(None) if files.leads_out(&location(&folder)) => {
            Parsed::broken("it leads out of the workspace")
        }
        // A folder of something else, or an empty file, which says nothing.
        Ok(None) => return None,
        Err(error) => Parsed::broken(&error.to_string()),
    };
    let silent = Head::default();
    let (head, state) = match &parsed.head {
        Ok(head) => {
            let shut = gates::shut(&head.terms, machine);
            (head, shut.map_or(SkillState::Enabled, SkillState::Gated))
        }
        Err(fault) => (&silent, SkillState::Broken(fault.clone())),
    };
    Some(Skill {
        name: line(head.name.as_deref().unwrap_or(&folder), LONGEST_NAME),
        description: line(
            head.description.as_deref().unwrap_or_default(),
            LONGEST_DESCRIPTION,
        ),
        emoji: head
            .terms
            .emoji
            .as_deref()
            .map(|emoji| line(emoji, LONGEST_NAME)),
        metadata: head.metadata.clone(),
        has_more: state == SkillState::Enabled
            && files.has_beside(&format!("{FOLDER}/{folder}"), FILE),
        state,
        body: Arc::clone(&parsed.body),
        folder,
    })
}

/// `text` on one line, at most so many characters of it.
fn line(text: &str, most: usize) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(most) {
        line.truncate(end);
    }
    line
}

#[cfg(test)]
mod tests;
