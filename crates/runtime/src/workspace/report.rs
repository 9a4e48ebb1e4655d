//! What a workspace would tell, for people who ask (agent-runtime §11, `/context` and `/health`).

use jiff::Timestamp;
use stationmaster_kernel::Handle;

use super::prompt::{self, BOOT_DONE};
use super::{PartName, PromptRequest, Workspace, WorkspaceError};

/// How much of each file is in a role's prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextReport {
    pub files: Vec<ContextFile>,
    /// Of the prompt without memory and time.
    pub prompt_characters: usize,
}

/// One file of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    pub name: String,
    pub exists: bool,
    pub raw_characters: u64,
    /// How much of it is in the prompt; 0 where another file or another kind of turn has its place.
    pub injected_characters: usize,
    /// It is longer than what is taken of a file.
    pub is_truncated: bool,
}

/// Whether there is a workspace, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    pub exists: bool,
    /// There is nothing to boot, or it is done.
    pub is_booted: bool,
    pub skills: usize,
    pub enabled_skills: usize,
}

impl Workspace {
    /// How much of each file is in the prompt of `role`.
    ///
    /// # Errors
    /// As [`prompt`](Self::prompt).
    pub async fn context(
        &self,
        role: Handle,
        now: Timestamp,
    ) -> Result<ContextReport, WorkspaceError> {
        self.visit(move |inner| {
            let prompt = inner.build(&PromptRequest {
                role: role.clone(),
                system_prompt: None,
                timezone: None,
                now,
                is_heartbeat: false,
                can_load_skills: true,
            })?;
            let injected = |name: &str| {
                let mut files = prompt.parts.iter().flat_map(|part| &part.files);
                files
                    .find(|(file, _)| file == name)
                    .map_or(0, |(_, characters)| *characters)
            };
            let mut files = Vec::new();
            for name in bootstrap_files(&role) {
                let raw = inner.files.characters(&name)?;
                files.push(ContextFile {
                    exists: raw.is_some(),
                    raw_characters: raw.unwrap_or(0),
                    injected_characters: injected(&name),
                    is_truncated: raw.is_some_and(|raw| raw > super::MAX_FILE_CHARS as u64),
                    name,
                });
            }
            let told = prompt.parts.iter();
            let lasting = told.filter(|part| part.name < PartName::Memory);
            let sizes: Vec<usize> = lasting.map(prompt::Part::characters).collect();
            // A blank line between each two.
            let between = 2 * sizes.len().saturating_sub(1);
            Ok(ContextReport {
                files,
                prompt_characters: sizes.iter().sum::<usize>() + between,
            })
        })
        .await
    }

    /// Whether there is a workspace, and what of it.
    ///
    /// # Errors
    /// When its skills cannot be read.
    pub async fn glance(&self) -> Result<Glance, WorkspaceError> {
        self.visit(|inner| {
            let skills = inner.skills()?;
            Ok(Glance {
                exists: inner.files.dir().is_dir(),
                is_booted: inner.files.has(BOOT_DONE) || !inner.files.has("BOOT.md"),
                enabled_skills: skills.iter().filter(|skill| skill.is_enabled()).count(),
                skills: skills.len(),
            })
        })
        .await
    }
}

/// The files with fixed names, and the role's own.
pub(super) fn bootstrap_files(role: &Handle) -> Vec<String> {
    let mut files = vec![prompt::soul(role)];
    files.extend(FIXED.map(str::to_owned));
    files
}

pub(super) const FIXED: [&str; 8] = [
    "SOUL.md",
    "AGENTS.md",
    "IDENTITY.md",
    "TOOLS.md",
    "USER.md",
    "BOOT.md",
    "HEARTBEAT.md",
    "MEMORY.md",
];
