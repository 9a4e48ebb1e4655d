//! Which files make a prompt, and in which order.

use std::sync::Arc;

use jiff::civil::Date;
use stationmaster_kernel::Handle;

use super::WorkspaceError;
use super::files::Files;

/// Written into the workspace when an agent has done what `BOOT.md` asks.
const BOOT_DONE: &str = ".boot-complete";

type Text = Option<Arc<str>>;

/// What the workspace says to one role on one day.
#[derive(Debug)]
pub(super) struct Sources {
    role: Handle,
    persona: Text,
    rules: Text,
    identity: Text,
    tools: Text,
    user: Text,
    boot: Text,
    long_term: Text,
    yesterday: (Date, Text),
    today: (Date, Text),
}

impl Sources {
    pub(super) fn read(files: &Files, role: &Handle, day: Date) -> Result<Self, WorkspaceError> {
        let persona = match files.read_within(&format!("souls/{role}.md"))? {
            Some(text) => Some(text),
            None => files.read("SOUL.md")?,
        };
        let boot = if files.has(BOOT_DONE) {
            None
        } else {
            files.read("BOOT.md")?
        };
        let diary = |day: Date| {
            files
                .read(&format!("memory/{day}.md"))
                .map(|text| (day, text))
        };
        Ok(Self {
            role: role.clone(),
            persona,
            rules: files.read("AGENTS.md")?,
            identity: files.read("IDENTITY.md")?,
            tools: files.read("TOOLS.md")?,
            user: files.read("USER.md")?,
            boot,
            long_term: files.read("MEMORY.md")?,
            yesterday: diary(day.yesterday().unwrap_or(day))?,
            today: diary(day)?,
        })
    }
}

/// Everything but the time.
pub(super) fn assemble(sources: &Sources) -> String {
    let titled = |title: &str, text: &Text| match text {
        Some(text) => format!("## {title}\n\n{text}"),
        None => String::new(),
    };
    let character = join([
        sources.persona.as_deref().unwrap_or_default().to_owned(),
        titled("Operating Rules", &sources.rules),
        titled("Identity", &sources.identity),
        titled("Tools", &sources.tools),
        titled("User", &sources.user),
        titled("Boot", &sources.boot),
        // Skills have their place here.
    ]);
    let character = if character.is_empty() {
        format!("You are {}, a helpful assistant.", sources.role)
    } else {
        character
    };
    join([character, memory(sources)])
}

fn memory(sources: &Sources) -> String {
    let part = |title: String, text: &Text| match text {
        Some(text) => format!("### {title}\n\n{text}"),
        None => String::new(),
    };
    let parts = join([
        part("Long-term Memory".to_owned(), &sources.long_term),
        part(
            format!("Yesterday ({})", sources.yesterday.0),
            &sources.yesterday.1,
        ),
        part(format!("Today ({})", sources.today.0), &sources.today.1),
    ]);
    if parts.is_empty() {
        parts
    } else {
        format!("## Recent Memory\n\n{parts}")
    }
}

/// The blocks that say something, one blank line between them.
pub(super) fn join(blocks: impl IntoIterator<Item = String>) -> String {
    let blocks: Vec<String> = blocks
        .into_iter()
        .filter(|block| !block.is_empty())
        .collect();
    blocks.join("\n\n")
}
