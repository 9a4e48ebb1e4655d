//! What a prompt says about skills: all of them in full, or where that is too long, the catalog
//! (progressive disclosure, as the Agent Skills standard has it).

use std::sync::Arc;

use super::Skill;

const HOW: &str = "These are ready to be used. Before you do what one of them is for, read it: call \
    load_skill with its name. With `resource` the same tool gives you a file of the skill's folder.";

/// The skills that a role has in one turn. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::workspace) struct Shelf(pub(super) Arc<[Skill]>);

/// What a prompt says, and whether the model may ask for more.
#[derive(Debug)]
pub(in crate::workspace) struct Told {
    pub(in crate::workspace) text: String,
    /// The locations of what is in the text, in full or as an entry, with their characters.
    pub(in crate::workspace) files: Vec<(String, usize)>,
    /// Only the catalog is told.
    pub(in crate::workspace) is_catalog: bool,
    /// `None` where there is nothing more to ask for.
    pub(in crate::workspace) shelf: Option<Shelf>,
}

/// What to say about these skills within `budget` characters. A model that cannot ask for the
/// rest is told everything, however long it is.
pub(in crate::workspace) fn told(skills: Vec<Skill>, budget: usize, can_ask: bool) -> Told {
    let enabled = || skills.iter().filter(|skill| skill.is_enabled());
    let in_full: Vec<String> = enabled().map(full).collect();
    let characters: usize = in_full.iter().map(|text| text.chars().count()).sum();
    let is_catalog = can_ask && characters > budget;
    let entries: Vec<String> = if is_catalog {
        enabled().map(entry).collect()
    } else {
        in_full
    };
    let files = enabled().zip(&entries);
    let files = files
        .map(|(skill, text)| (skill.location(), text.chars().count()))
        .collect();
    let text = if entries.is_empty() {
        String::new()
    } else if is_catalog {
        let entries = entries.join("\n");
        format!(
            "## Available Skills\n\n{HOW}\n\n<available_skills>\n{entries}\n</available_skills>"
        )
    } else {
        format!("## Skills\n\n{}", entries.join("\n\n---\n\n"))
    };
    let has_more = is_catalog || enabled().any(|skill| skill.has_more);
    Told {
        text,
        files,
        is_catalog,
        shelf: (can_ask && has_more).then(|| Shelf(skills.into())),
    }
}

fn full(skill: &Skill) -> String {
    let title = match &skill.emoji {
        Some(emoji) => format!("### {emoji} {}", skill.name),
        None => format!("### {}", skill.name),
    };
    if skill.body.is_empty() {
        return title;
    }
    format!("{title}\n\n{}", skill.body)
}

fn entry(skill: &Skill) -> String {
    let location = skill.location();
    format!(
        "  <skill>\n    <name>{}</name>\n    <description>{}</description>\n    <location>{}</location>\n  </skill>",
        escaped(&skill.name),
        escaped(&skill.description),
        escaped(&location)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
