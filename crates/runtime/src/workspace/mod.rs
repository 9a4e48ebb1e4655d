//! The folder of Markdown files that tells an agent who it is (agent-runtime §5).
//!
//! Every file is optional, and so is the folder. Files are read anew when they change, so an edit
//! counts from the next turn on. All file access happens on the blocking pool, in one visit per
//! prompt.
//!
//! To add a part to the prompt, add its file to `prompt::Sources` and its place to
//! `prompt::assemble`, whose order is the contract's.

mod clock;
mod files;
mod prompt;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stationmaster_kernel::Handle;

use files::Files;

/// No file brings more characters than this into a prompt, the mark that says so included.
pub const MAX_FILE_CHARS: usize = 20_000;

/// A workspace folder. Clones share its cache.
#[derive(Debug, Clone)]
pub struct Workspace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Files,
    default_zone: Option<TimeZone>,
    tells_time: bool,
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

impl Workspace {
    /// A workspace in `dir`, which need not exist. Memory files and the time follow the system's
    /// zone.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            files: Files::new(dir.into()),
            default_zone: None,
            tells_time: true,
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

    fn changed(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner {
            files: Files::new(self.0.files.dir().to_owned()),
            default_zone: self.0.default_zone.clone(),
            tells_time: self.0.tells_time,
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// The system prompt for one turn.
    ///
    /// # Errors
    /// An unknown time zone; a file that is there but cannot be read.
    pub async fn prompt(&self, request: PromptRequest) -> Result<String, WorkspaceError> {
        let inner = Arc::clone(&self.0);
        let built = tokio::task::spawn_blocking(move || inner.build(&request));
        built.await.unwrap_or_else(|stopped| {
            Err(WorkspaceError::Unreadable {
                file: ".".to_owned(),
                reason: stopped.to_string(),
            })
        })
    }
}

impl Inner {
    fn build(&self, request: &PromptRequest) -> Result<String, WorkspaceError> {
        let home = self.default_zone.clone().unwrap_or_else(clock::system_zone);
        let shown = request
            .timezone
            .as_deref()
            .map_or_else(|| Ok(home.clone()), clock::zone)?;
        let text = match &request.system_prompt {
            Some(text) => text.trim().to_owned(),
            None => {
                // Memory files are named by the day where the agent lives, not where the caller is.
                let today = request.now.to_zoned(home).date();
                prompt::assemble(&prompt::Sources::read(&self.files, &request.role, today)?)
            }
        };
        if !self.tells_time {
            return Ok(text);
        }
        Ok(prompt::join([text, clock::block(request.now, &shown)]))
    }
}

#[cfg(test)]
mod tests;
