//! The folder of Markdown files that tells an agent who it is (agent-runtime §5).
//!
//! Every file is optional, and so is the folder. Files are read anew when they change, so an edit
//! counts from the next turn on. All file access happens on the blocking pool, in one visit per
//! prompt.
//!
//! To add a part to the prompt, add it to `prompt::PartName` and to `prompt::full`, whose order is
//! the contract's.

mod check;
mod clock;
mod files;
mod listing;
mod prompt;
mod report;
mod servers;
mod skills;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stationmaster_kernel::Handle;

use files::Files;

pub use check::{Problem, Severity};
pub use prompt::{Part, PartName};
pub use report::{ContextFile, ContextReport, Glance};
pub(crate) use servers::{FILE as SERVERS_FILE, Server, ServerFault, Servers};
pub(crate) use skills::Loader;
use skills::Readings;
pub use skills::{Fault, MAX_SKILLS, Machine, Skill, SkillState};

/// No file brings more characters than this into a prompt, the mark that says so included.
pub const MAX_FILE_CHARS: usize = 20_000;

/// How many characters of skills a prompt holds before it holds their catalog instead: about
/// 20,000 tokens.
pub const SKILLS_BUDGET: usize = 80_000;

/// A workspace folder. Clones share its cache.
#[derive(Debug, Clone)]
pub struct Workspace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Files,
    default_zone: Option<TimeZone>,
    tells_time: bool,
    machine: Machine,
    skills_budget: usize,
    readings: Readings,
}

/// What a prompt is made for.
#[derive(Debug, Clone)]
pub struct PromptRequest {
    pub role: Handle,
    /// Takes the place of everything but the time (`metadata.system_prompt`).
    pub system_prompt: Option<String>,
    /// An IANA zone (`metadata.timezone`); without one the configured zone counts, then the
    /// system's.
    pub timezone: Option<String>,
    pub now: Timestamp,
    /// A heartbeat: rules and tools alone, and what to look after.
    pub is_heartbeat: bool,
    /// The model can ask for skills that the prompt only names.
    pub can_load_skills: bool,
}

/// What a turn tells its model first.
#[derive(Clone)]
pub struct Prompt {
    /// In their order; none is blank.
    pub parts: Vec<Part>,
    /// The skills are named, and not told in full.
    pub has_catalog: bool,
    loader: Option<Loader>,
}

/// Why there is no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    #[error("there is no time zone {0:?}; use an IANA name such as Europe/Berlin")]
    UnknownTimezone(String),
    /// The file is there and cannot be read. Going on without it could drop an agent's rules.
    #[error("the workspace file {file} cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
}

impl Prompt {
    /// The parts, one blank line between them.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.parts.iter().map(|part| part.text.as_str()).collect();
        texts.join("\n\n")
    }

    /// What the model may ask for beyond the text.
    pub(crate) fn loader(&self) -> Option<Loader> {
        self.loader.clone()
    }

    /// Whether there is more of skills than the text says.
    #[must_use]
    pub fn offers_skills(&self) -> bool {
        self.loader.is_some()
    }
}

impl Workspace {
    /// A workspace in `dir`, which need not exist. Memory files and the time follow the system's
    /// zone; skills find nothing that they need until [`on`](Self::on) says what there is.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            files: Files::new(dir.into()),
            default_zone: None,
            tells_time: true,
            machine: Machine::default(),
            skills_budget: SKILLS_BUDGET,
            readings: Readings::default(),
        }))
    }

    /// The zone for prompts whose request names none.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn with_default_timezone(self, name: &str) -> Result<Self, WorkspaceError> {
        let default_zone = Some(clock::zone(name)?);
        Ok(self.changed(|inner| inner.default_zone = default_zone))
    }

    /// Whether prompts end with the time; they do unless told otherwise.
    #[must_use]
    pub fn with_time(self, tells_time: bool) -> Self {
        self.changed(|inner| inner.tells_time = tells_time)
    }

    /// What skills find on this machine.
    #[must_use]
    pub fn on(self, machine: Machine) -> Self {
        self.changed(|inner| inner.machine = machine)
    }

    /// How many characters of skills a prompt holds before it holds their catalog instead.
    #[must_use]
    pub fn with_skills_budget(self, characters: usize) -> Self {
        self.changed(|inner| inner.skills_budget = characters)
    }

    fn changed(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner {
            files: Files::new(self.0.files.dir().to_owned()),
            default_zone: self.0.default_zone.clone(),
            tells_time: self.0.tells_time,
            machine: self.0.machine.clone(),
            skills_budget: self.0.skills_budget,
            readings: Readings::default(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.0.files.dir()
    }

    /// The system prompt for one turn.
    ///
    /// # Errors
    /// An unknown time zone; a file that is there but cannot be read.
    pub async fn prompt(&self, request: PromptRequest) -> Result<Prompt, WorkspaceError> {
        self.visit(move |inner| inner.build(&request)).await
    }

    /// Every skill, enabled or not.
    ///
    /// # Errors
    /// When the folder of skills cannot be read.
    pub async fn skills(&self) -> Result<Vec<Skill>, WorkspaceError> {
        self.visit(|inner| inner.skills()).await
    }

    /// The MCP servers that agents may use.
    ///
    /// # Errors
    /// When `mcp.json` is there and cannot be read.
    pub(crate) async fn servers(&self) -> Result<Servers, WorkspaceError> {
        self.visit(|inner| inner.servers()).await
    }

    /// The names of the MCP servers that can be used, each with whether the role is offered tools of it.
    ///
    /// # Errors
    /// When `mcp.json` is there and cannot be read.
    pub async fn servers_of(&self, role: &Handle) -> Result<Vec<(String, bool)>, WorkspaceError> {
        let servers = self.servers().await?.usable.into_iter();
        Ok(servers
            .map(|server| {
                let is_for = server.is_for(role);
                (server.name, is_for)
            })
            .collect())
    }

    /// Looks at the files away from the async workers.
    async fn visit<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Arc<Inner>) -> Result<T, WorkspaceError> + Send + 'static,
    ) -> Result<T, WorkspaceError> {
        let inner = Arc::clone(&self.0);
        let seen = tokio::task::spawn_blocking(move || look(&inner));
        seen.await.unwrap_or_else(|stopped| {
            Err(WorkspaceError::Unreadable {
                file: ".".to_owned(),
                reason: stopped.to_string(),
            })
        })
    }
}

impl Inner {
    fn build(self: &Arc<Self>, request: &PromptRequest) -> Result<Prompt, WorkspaceError> {
        let home = self.home();
        let shown = request
            .timezone
            .as_deref()
            .map_or_else(|| Ok(home.clone()), clock::zone)?;
        let (mut has_catalog, mut loader) = (false, None);
        let mut parts = if let Some(text) = &request.system_prompt {
            vec![Part::plain(PartName::Given, text.trim().to_owned())]
        } else if request.is_heartbeat {
            prompt::minimal(&self.files, &request.role)?
        } else {
            let skills = self.skills()?;
            let mut told = skills::told(skills, self.skills_budget, request.can_load_skills);
            has_catalog = told.is_catalog;
            loader = told
                .shelf
                .take()
                .map(|shelf| Loader::new(Arc::clone(self), shelf));
            // Memory files are named by the day where the agent lives, not where the caller is.
            let today = request.now.to_zoned(home).date();
            prompt::full(&self.files, &request.role, today, told)?
        };
        if self.tells_time {
            parts.push(Part::plain(
                PartName::Time,
                clock::block(request.now, &shown),
            ));
        }
        Ok(Prompt {
            parts,
            has_catalog,
            loader,
        })
    }

    fn skills(&self) -> Result<Vec<Skill>, WorkspaceError> {
        skills::read(&self.files, &self.readings, &self.machine)
    }

    fn servers(&self) -> Result<Servers, WorkspaceError> {
        let text = self.files.read(servers::FILE)?;
        Ok(text.map_or_else(Servers::default, |text| {
            servers::read(&text, self.files.dir(), &self.machine)
        }))
    }

    fn home(&self) -> TimeZone {
        self.default_zone.clone().unwrap_or_else(clock::system_zone)
    }
}

#[cfg(test)]
mod tests;
