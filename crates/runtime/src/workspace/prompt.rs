//! Which files make a prompt, and in which order.

use std::sync::Arc;

use jiff::civil::Date;
use stationmaster_kernel::Handle;

use super::WorkspaceError;
use super::files::Files;
use super::skills::Told;

/// Written into the workspace when an agent has done what `BOOT.md` asks.
pub(super) const BOOT_DONE: &str = ".boot-complete";

type Text = Option<Arc<str>>;

/// One block of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: PartName,
    /// The files it was made of, in the workspace, with the characters that each brought in.
    pub files: Vec<(String, usize)>,
    pub text: String,
}

/// What a block is. The order is that of the prompt (agent-runtime §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartName {
    /// The caller's own prompt, in place of all but the time.
    Given,
    Persona,
    Rules,
    Identity,
    Tools,
    User,
    Boot,
    Heartbeat,
    Skills,
    Memory,
    Time,
}

impl PartName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Persona => "persona",
            Self::Rules => "rules",
            Self::Identity => "identity",
            Self::Tools => "tools",
            Self::User => "user",
            Self::Boot => "boot",
            Self::Heartbeat => "heartbeat",
            Self::Skills => "skills",
            Self::Memory => "memory",
            Self::Time => "time",
        }
    }
}

impl Part {
    pub(super) fn plain(name: PartName, text: String) -> Self {
        Self {
            name,
            files: Vec::new(),
            text,
        }
    }

    /// A file under a heading; nothing where it says nothing.
    fn titled(name: PartName, title: &str, file: &str, text: &Text) -> Option<Self> {
        let text = text.as_ref()?;
        Some(Self {
            name,
            files: vec![(file.to_owned(), text.chars().count())],
            text: format!("## {title}\n\n{text}"),
        })
    }

    #[must_use]
    pub fn characters(&self) -> usize {
        self.text.chars().count()
    }
}

/// The parts of a full prompt before the time.
pub(super) fn full(
    files: &Files,
    role: &Handle,
    day: Date,
    skills: Told,
) -> Result<Vec<Part>, WorkspaceError> {
    let boot = if files.has(BOOT_DONE) {
        None
    } else {
        files.read("BOOT.md")?
    };
    let skills = Part {
        name: PartName::Skills,
        files: skills.files,
        text: skills.text,
    };
    let mut parts: Vec<Part> = [
        persona(files, role)?,
        Part::titled(
            PartName::Rules,
            "Operating Rules",
            "AGENTS.md",
            &files.read("AGENTS.md")?,
        ),
        Part::titled(
            PartName::Identity,
            "Identity",
            "IDENTITY.md",
            &files.read("IDENTITY.md")?,
        ),
        Part::titled(
            PartName::Tools,
            "Tools",
            "TOOLS.md",
            &files.read("TOOLS.md")?,
        ),
        Part::titled(PartName::User, "User", "USER.md", &files.read("USER.md")?),
        Part::titled(PartName::Boot, "Boot", "BOOT.md", &boot),
        Some(skills).filter(|part| !part.text.is_empty()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        parts.push(nobody(role));
    }
    parts.extend(memory(files, day)?);
    Ok(parts)
}

/// The parts of a heartbeat's prompt before the time.
pub(super) fn minimal(files: &Files, role: &Handle) -> Result<Vec<Part>, WorkspaceError> {
    let mut parts: Vec<Part> = [
        Part::titled(
            PartName::Rules,
            "Operating Rules",
            "AGENTS.md",
            &files.read("AGENTS.md")?,
        ),
        Part::titled(
            PartName::Tools,
            "Tools",
            "TOOLS.md",
            &files.read("TOOLS.md")?,
        ),
        Part::titled(
            PartName::Heartbeat,
            "Heartbeat",
            "HEARTBEAT.md",
            &files.read("HEARTBEAT.md")?,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        parts.push(nobody(role));
    }
    Ok(parts)
}

fn nobody(role: &Handle) -> Part {
    Part::plain(
        PartName::Persona,
        format!("You are {role}, a helpful assistant."),
    )
}

/// The file that says who a role is.
pub(super) fn soul(role: &Handle) -> String {
    format!("souls/{role}.md")
}

fn persona(files: &Files, role: &Handle) -> Result<Option<Part>, WorkspaceError> {
    let own = soul(role);
    let (file, text) = match files.read_within(&own)? {
        Some(text) => (own, Some(text)),
        None => ("SOUL.md".to_owned(), files.read("SOUL.md")?),
    };
    Ok(text.map(|text| Part {
        name: PartName::Persona,
        files: vec![(file, text.chars().count())],
        text: text.to_string(),
    }))
}

fn memory(files: &Files, day: Date) -> Result<Option<Part>, WorkspaceError> {
    let yesterday = day.yesterday().unwrap_or(day);
    let (mut used, mut blocks) = (Vec::new(), Vec::new());
    for (title, file) in [
        ("Long-term Memory".to_owned(), "MEMORY.md".to_owned()),
        (
            format!("Yesterday ({yesterday})"),
            format!("memory/{yesterday}.md"),
        ),
        (format!("Today ({day})"), format!("memory/{day}.md")),
    ] {
        if let Some(text) = files.read(&file)? {
            blocks.push(format!("### {title}\n\n{text}"));
            used.push((file, text.chars().count()));
        }
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    Ok(Some(Part {
        name: PartName::Memory,
        files: used,
        text: format!("## Recent Memory\n\n{}", blocks.join("\n\n")),
    }))
}
