//! `stationmaster workspace show`

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use stationmaster_kernel::Handle;
use stationmaster_runtime::{Part, Prompt, PromptRequest, Skill};
use stationmaster_store::Clock;

use super::Which;
use crate::console;

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    which: Which,
    /// Whose turn
    #[arg(long)]
    role: Handle,
    /// A heartbeat's turn
    #[arg(long)]
    heartbeat: bool,
    /// The time zone that the caller names
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// What there is to show.
struct Shown {
    workspace: String,
    role: Handle,
    prompt: Prompt,
    skills: Vec<Skill>,
    /// The MCP servers that can be used, and whether the role is offered them.
    servers: Vec<(String, bool)>,
}

impl Show {
    pub(super) fn run(self) -> Result<()> {
        let workspace = self.which.open()?;
        let request = PromptRequest {
            role: self.role.clone(),
            system_prompt: None,
            timezone: self.timezone,
            now: Clock::default().now().to_calendar(),
            is_heartbeat: self.heartbeat,
            can_load_skills: true,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .context("starting the runtime")?;
        let (prompt, skills, servers) = runtime.block_on(async {
            let prompt = workspace.prompt(request).await?;
            let skills = workspace.skills().await?;
            anyhow::Ok((prompt, skills, workspace.servers_of(&self.role).await?))
        })?;
        let shown = Shown {
            workspace: workspace.dir().display().to_string(),
            role: self.role,
            prompt,
            skills,
            servers,
        };
        if self.json {
            console::line(format_args!("{:#}", shown.json()));
        } else {
            shown.print();
        }
        Ok(())
    }
}

/// As the contract estimates them (agent-runtime §7).
fn tokens(characters: usize) -> usize {
    characters.div_ceil(4)
}

impl Shown {
    fn enabled(&self) -> usize {
        self.skills
            .iter()
            .filter(|skill| skill.is_enabled())
            .count()
    }

    /// The names of the MCP servers that the role is offered.
    fn offered(&self) -> Vec<&str> {
        let offered = self.servers.iter().filter(|(_, is_offered)| *is_offered);
        offered.map(|(name, _)| name.as_str()).collect()
    }

    fn json(&self) -> Value {
        let prompt = self.prompt.text();
        let characters = prompt.chars().count();
        json!({
            "workspace": self.workspace,
            "role": self.role,
            "parts": self.prompt.parts.iter().map(part).collect::<Vec<_>>(),
            "skills": {
                "enabled": self.enabled(),
                "total": self.skills.len(),
                "catalog": self.prompt.has_catalog,
                "loadSkill": self.prompt.offers_skills(),
            },
            "mcpServers": self.offered(),
            "characters": characters,
            "estimatedTokens": tokens(characters),
            "prompt": prompt,
        })
    }

    fn print(&self) {
        let prompt = self.prompt.text();
        let row = |name: &str, characters: usize, from: &str| {
            let line = format!(
                "  {name:<10} {characters:>10} {:>9}  {from}",
                tokens(characters)
            );
            console::line(format_args!("{}", line.trim_end()));
        };
        console::line(format_args!(
            "What a turn of {} sees from {}:\n",
            self.role, self.workspace
        ));
        console::line(format_args!(
            "  {:<10} {:>10} {:>9}  {}",
            "part", "characters", "~tokens", "from"
        ));
        for part in &self.prompt.parts {
            let files: Vec<&str> = part.files.iter().map(|(name, _)| name.as_str()).collect();
            row(part.name.as_str(), part.characters(), &files.join(", "));
        }
        row("all", prompt.chars().count(), "");
        let how = match (self.prompt.has_catalog, self.prompt.offers_skills()) {
            (true, _) => "; the model reads them with load_skill",
            (false, true) => "; the model reads their other files with load_skill",
            (false, false) => "",
        };
        console::line(format_args!(
            "\n{} of {} skills enabled{how}",
            self.enabled(),
            self.skills.len()
        ));
        for skill in &self.skills {
            if let Some(reason) = skill.gate_reason() {
                console::line(format_args!("  without {}: {reason}", skill.name));
            }
        }
        if !self.servers.is_empty() {
            let (offered, all) = (self.offered(), self.servers.len());
            let names = match offered.is_empty() {
                true => String::new(),
                false => format!(": {}", offered.join(", ")),
            };
            console::line(format_args!(
                "{} of {all} MCP servers{names}",
                offered.len()
            ));
        }
        console::line(format_args!("\n{:-<72}\n{prompt}", ""));
    }
}

fn part(part: &Part) -> Value {
    let file =
        |(name, characters): &(String, usize)| json!({"name": name, "characters": characters});
    json!({
        "name": part.name.as_str(),
        "files": part.files.iter().map(file).collect::<Vec<_>>(),
        "characters": part.characters(),
        "estimatedTokens": tokens(part.characters()),
    })
}
