//! Looks for what is wrong with a workspace before an agent has to work from it.

use std::fs;
use std::io::Read as _;

use jiff::civil::Date;
use stationmaster_kernel::Handle;

use super::prompt;
use super::report::FIXED;
use super::servers;
use super::skills::{self, FILE, FOLDER, SkillState};
use super::{MAX_FILE_CHARS, MAX_SKILLS, Workspace, WorkspaceError};

/// How much of a file is looked at.
const MOST_READ: u64 = 16 * 1024 * 1024;

/// Something that an author of the workspace should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// In the workspace.
    pub file: String,
    /// Counted from 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    pub severity: Severity,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something that was written does not reach the agents.
    Error,
    /// It may be meant so.
    Warning,
}

impl Workspace {
    /// Every problem of the workspace, file by file. `roles` are those that will work from it,
    /// beside those that have a file in `souls/`. It reads files on the calling thread.
    #[must_use]
    pub fn check(&self, roles: &[Handle]) -> Vec<Problem> {
        let mut look = Look {
            workspace: self,
            problems: Vec::new(),
        };
        if !self.dir().is_dir() {
            look.error(".", None, "there is no such folder");
            return look.problems;
        }
        for file in FIXED {
            look.at_file(file);
        }
        look.at_souls(roles);
        look.at_memory();
        look.at_skills();
        look.at_servers();
        look.problems
    }
}

struct Look<'a> {
    workspace: &'a Workspace,
    problems: Vec<Problem>,
}

impl Look<'_> {
    fn add(
        &mut self,
        severity: Severity,
        file: &str,
        line: Option<usize>,
        message: impl Into<String>,
    ) {
        self.problems.push(Problem {
            file: file.to_owned(),
            line,
            severity,
            message: message.into(),
        });
    }

    fn error(&mut self, file: &str, line: Option<usize>, message: impl Into<String>) {
        self.add(Severity::Error, file, line, message);
    }

    fn warn(&mut self, file: &str, message: impl Into<String>) {
        self.add(Severity::Warning, file, None, message);
    }

    /// Names in a folder; one that cannot be listed is a problem of its own.
    fn names(&mut self, names: Result<Vec<String>, WorkspaceError>, folder: &str) -> Vec<String> {
        names.unwrap_or_else(|error| {
            self.error(folder, None, error.to_string());
            Vec::new()
        })
    }

    /// Whether the file is there and says something. What hinders a turn from reading it all is a
    /// problem.
    fn at_file(&mut self, file: &str) -> bool {
        let path = self.workspace.dir().join(file);
        if !path.exists() {
            return false;
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(&path).and_then(|open| {
            if open.metadata()?.is_file() {
                open.take(MOST_READ).read_to_end(&mut bytes)
            } else {
                Err(std::io::Error::other("it is not a file"))
            }
        });
        if let Err(error) = read {
            self.error(file, None, format!("cannot be read: {error}"));
            return false;
        }
        // Names that roles and skills choose are kept inside; the fixed ones are the operator's.
        let is_confined = file.starts_with("souls/") || file.starts_with("skills/");
        if is_confined && self.workspace.0.files.leads_out(file) {
            self.error(file, None, "is not read: it leads out of the workspace");
            return false;
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = line_at(&bytes[..error.valid_up_to()]);
                self.error(file, Some(line), "is not UTF-8 text from here on");
                return true;
            }
        };
        let said = text.trim_start_matches('\u{feff}').trim();
        if let Some((end, _)) = said.char_indices().nth(MAX_FILE_CHARS) {
            let before = bytes.len() - text.trim_start_matches('\u{feff}').trim_start().len();
            let line = line_at(&bytes[..before + end]);
            let message = format!(
                "agents read {MAX_FILE_CHARS} characters of it and not the rest, from about here on"
            );
            self.error(file, Some(line), message);
        }
        !said.is_empty()
    }

    fn at_souls(&mut self, roles: &[Handle]) {
        let files = self.workspace.0.files.files("souls");
        let mut known: Vec<Handle> = roles.to_vec();
        for name in self.names(files, "souls") {
            let file = format!("souls/{name}");
            let Some(role) = name.strip_suffix(".md") else {
                self.warn(&file, "is not read: souls are files named ROLE.md");
                continue;
            };
            match role.parse::<Handle>() {
                Ok(role) if !known.contains(&role) => known.push(role),
                Ok(_) => {}
                Err(_) => self.error(
                    &file,
                    None,
                    format!("{role:?} cannot be a role: use 1 to 64 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit"),
                ),
            }
        }
        let has_common = self.workspace.dir().join("SOUL.md").is_file();
        for role in known {
            let file = prompt::soul(&role);
            if !self.at_file(&file) {
                let instead = if has_common {
                    "SOUL.md"
                } else {
                    "one generic sentence"
                };
                self.warn(
                    &file,
                    format!("the role {role} has no soul of its own and is told {instead}"),
                );
            }
        }
        if !has_common {
            self.warn(
                "SOUL.md",
                "is missing: a role without a soul of its own is told one generic sentence",
            );
        }
    }

    fn at_memory(&mut self) {
        let files = self.workspace.0.files.files("memory");
        for name in self.names(files, "memory") {
            let file = format!("memory/{name}");
            let day = name.strip_suffix(".md").filter(|day| {
                day.parse::<Date>()
                    .is_ok_and(|date| date.to_string() == *day)
            });
            if day.is_none() {
                self.warn(&file, "is not read: memory files are named YYYY-MM-DD.md");
            } else {
                self.at_file(&file);
            }
        }
    }

    fn at_skills(&mut self) {
        let files = &self.workspace.0.files;
        let folders = files.folders(FOLDER);
        let folders = self.names(folders, FOLDER);
        if folders.len() > MAX_SKILLS {
            self.error(
                FOLDER,
                None,
                format!(
                    "only the first {MAX_SKILLS} of {} skills are read",
                    folders.len()
                ),
            );
        }
        for folder in &folders {
            let file = skills::location(folder);
            if !self.at_file(&file) && !self.workspace.dir().join(&file).exists() {
                self.warn(&format!("{FOLDER}/{folder}"), format!("holds no {FILE}"));
            }
        }
        let read = self.workspace.0.skills();
        let mut names: Vec<(String, String)> = Vec::new();
        for skill in read.unwrap_or_default() {
            let file = skill.location();
            match &skill.state {
                SkillState::Broken(fault) => {
                    // A file that cannot be read at all was told of already.
                    let is_told = |it: &Problem| it.file == file && it.line.is_none();
                    if !self.problems.iter().any(is_told) {
                        self.error(&file, Some(fault.line), fault.reason.clone());
                    }
                }
                SkillState::Gated(reason) => {
                    self.warn(&file, format!("is disabled here: {reason}"))
                }
                SkillState::Enabled => {
                    if skill.description.is_empty() {
                        self.warn(&file, "has no description: a catalog can only name it");
                    }
                    if let Some((_, first)) = names.iter().find(|(name, _)| *name == skill.name) {
                        let message = format!("is named {:?}, as {first} is", skill.name);
                        self.warn(&file, message);
                    }
                    names.push((skill.name, file));
                }
            }
        }
    }
}

impl Look<'_> {
    fn at_servers(&mut self) {
        if !self.at_file(servers::FILE) {
            return;
        }
        // A file that cannot be read was told of already.
        let read = self.workspace.0.servers().unwrap_or_default();
        for fault in read.faults {
            let message = match fault.server {
                Some(server) => format!("server {server:?}: {}", fault.reason),
                None => fault.reason,
            };
            let severity = match fault.is_fatal {
                true => Severity::Error,
                false => Severity::Warning,
            };
            self.add(severity, servers::FILE, fault.line, message);
        }
    }
}

/// The line on which what comes after `before` stands.
fn line_at(before: &[u8]) -> usize {
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
