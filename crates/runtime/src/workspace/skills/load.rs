//! What a model gets when it asks for a skill: its text, or a file of its folder.

use std::sync::Arc;

use super::{FILE, FOLDER, Shelf, Skill};
use crate::workspace::Inner;

/// The most files of one skill that are named.
const MOST_FILES: usize = 100;
/// How far down they are looked for.
const DEEPEST: usize = 3;

/// Hands out the skills of one turn. Nothing outside a skill's own folder is ever read.
#[derive(Clone)]
pub(crate) struct Loader {
    workspace: Arc<Inner>,
    shelf: Shelf,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    /// In the skill's folder.
    pub(crate) file: String,
    pub(crate) content: String,
    /// The other files of the folder; only with the skill's own text.
    pub(crate) files: Vec<String>,
}

impl Loader {
    pub(in crate::workspace) fn new(workspace: Arc<Inner>, shelf: Shelf) -> Self {
        Self { workspace, shelf }
    }

    /// The text of the skill of this name, or a file of its folder.
    ///
    /// # Errors
    /// A sentence for the model.
    pub(crate) async fn load(&self, name: String, file: Option<String>) -> Result<Loaded, String> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read(&name, file.as_deref()))
            .await
            .unwrap_or_else(|stopped| Err(format!("the skill could not be read: {stopped}")))
    }

    fn read(&self, name: &str, file: Option<&str>) -> Result<Loaded, String> {
        let skill = self.find(name.trim())?;
        let folder = format!("{FOLDER}/{}", skill.folder);
        match file
            .map(str::trim)
            .filter(|file| !file.is_empty() && *file != FILE)
        {
            None => Ok(Loaded {
                name: skill.name.clone(),
                file: FILE.to_owned(),
                content: skill.body.to_string(),
                files: self.beside(&folder),
            }),
            Some(file) => {
                let content = self.workspace.files.read_inside(&folder, file);
                let content = content
                    .map_err(|error| error.to_string())?
                    .filter(|text| !text.contains('\0'));
                Ok(Loaded {
                    name: skill.name.clone(),
                    file: file.to_owned(),
                    content: content
                        .ok_or_else(|| self.no_file(skill, &folder, file))?
                        .to_string(),
                    files: Vec::new(),
                })
            }
        }
    }

    /// By name, else by folder; of two with one name the first folder's counts.
    fn find(&self, name: &str) -> Result<&Skill, String> {
        let skills = &self.shelf.0;
        let found = skills
            .iter()
            .find(|skill| skill.is_enabled() && skill.name == name)
            .or_else(|| {
                skills
                    .iter()
                    .find(|skill| skill.folder == name || skill.name == name)
            });
        let Some(skill) = found else {
            let known = skills.iter().filter(|skill| skill.is_enabled());
            let known: Vec<&str> = known.map(|skill| skill.name.as_str()).collect();
            return Err(format!(
                "there is no such skill; there are {}",
                known.join(", ")
            ));
        };
        match skill.gate_reason() {
            None => Ok(skill),
            Some(reason) => Err(format!(
                "the skill {} cannot be used here: {reason}",
                skill.name
            )),
        }
    }

    fn beside(&self, folder: &str) -> Vec<String> {
        let mut files = self.workspace.files.tree(folder, DEEPEST, MOST_FILES);
        files.retain(|file| file != FILE);
        files
    }

    fn no_file(&self, skill: &Skill, folder: &str, file: &str) -> String {
        let files = self.beside(folder);
        let there = if files.is_empty() {
            "it has none but its SKILL.md".to_owned()
        } else {
            format!("there are {}", files.join(", "))
        };
        format!(
            "the skill {} has no text file {file:?}; {there}",
            skill.name
        )
    }
}
