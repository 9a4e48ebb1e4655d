//! The workspace that newcomers start from.

/// Each file with its path.
pub(crate) const FILES: [(&str, &str); 8] = [
    ("AGENTS.md", include_str!("workspace/AGENTS.md")),
    ("SOUL.md", include_str!("workspace/SOUL.md")),
    ("IDENTITY.md", include_str!("workspace/IDENTITY.md")),
    ("MEMORY.md", include_str!("workspace/MEMORY.md")),
    ("souls/lead.md", include_str!("workspace/souls/lead.md")),
    (
        "souls/researcher.md",
        include_str!("workspace/souls/researcher.md"),
    ),
    ("souls/writer.md", include_str!("workspace/souls/writer.md")),
    (
        "skills/handover/SKILL.md",
        include_str!("workspace/skills/handover/SKILL.md"),
    ),
];

/// Folders that are there before they hold anything.
pub(crate) const FOLDERS: [&str; 1] = ["memory"];
