//! Whether a skill can be used on this machine (agent-runtime §6).

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::front_matter::{Requires, Terms};

/// Variables that programs are started with, whatever else they get.
const BASICS: [&str; 12] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SHELL",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
];

/// What this machine has to offer to skills. The default has nothing.
#[derive(Clone, Default)]
pub struct Machine {
    /// None is empty.
    variables: HashMap<String, String>,
    path: Vec<PathBuf>,
}

impl Machine {
    /// A machine with this environment, whose `PATH` says where programs are.
    #[must_use]
    pub fn with_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut machine = Self::default();
        for (name, value) in variables {
            if value.is_empty() {
                continue;
            }
            if name == "PATH" {
                machine.path = std::env::split_paths(&value).collect();
            }
            machine.variables.insert(name, value);
        }
        machine
    }

    /// What the environment says; nothing where it says nothing.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The variables that any program needs and that tell no secret.
    pub(crate) fn basics(&self) -> Vec<(String, String)> {
        let known = BASICS.iter().filter_map(|name| {
            let value = self.variable(name)?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        known.collect()
    }

    fn has_program(&self, name: &str) -> bool {
        let is_name = !name.is_empty() && !name.contains(['/', '\\']);
        is_name && self.path.iter().any(|dir| is_program(&dir.join(name)))
    }
}

/// Without its variables: they may be secret.
impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("variables", &self.variables.len())
            .field("path", &self.path)
            .finish()
    }
}

/// The system as skills name it.
fn system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

/// Why a skill with these terms is disabled here, if it is: the first gate that is shut.
pub(super) fn shut(terms: &Terms, machine: &Machine) -> Option<String> {
    if terms.always == Some(true) {
        return None;
    }
    if let Some(systems) = &terms.os
        && !systems.iter().any(|name| name == system())
    {
        return Some(format!(
            "needs {}; this is {}",
            systems.join(" or "),
            system()
        ));
    }
    terms.requires.as_ref().and_then(|it| lacking(it, machine))
}

fn lacking(requires: &Requires, machine: &Machine) -> Option<String> {
    let all = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
    for name in all(&requires.env) {
        if !machine.variables.contains_key(&name) {
            return Some(format!("needs the environment variable {name}"));
        }
    }
    for name in all(&requires.bins) {
        if !machine.has_program(&name) {
            return Some(format!("needs the program {name} on the PATH"));
        }
    }
    let any = all(&requires.any_bins);
    if any.is_empty() || any.iter().any(|name| machine.has_program(name)) {
        return None;
    }
    Some(format!(
        "needs one of the programs {} on the PATH",
        any.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn list(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|&name| name.to_owned()).collect())
    }

    fn machine(dir: &Path) -> Machine {
        for (name, mode) in [("curl", 0o755), ("jq", 0o700), ("notes", 0o644)] {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(dir.join("folder")).unwrap();
        let path = format!("/nonexistent:{}", dir.display());
        let variables = [("PATH", path.as_str()), ("KEY", "k"), ("BLANK", "")];
        Machine::with_environment(
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
    }

    #[cfg(unix)]
    #[test]
    fn the_first_gate_that_is_shut_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let machine = machine(dir.path());
        let check = |os, env, bins, any_bins, expected: Option<&str>| {
            let requires = Some(Requires {
                env,
                bins,
                any_bins,
            });
            let terms = Terms {
                os,
                requires,
                ..Terms::default()
            };
            assert_eq!(shut(&terms, &machine).as_deref(), expected, "{terms:?}");
        };
        check(None, None, None, None, None);
        check(
            list(&[system()]),
            list(&["KEY"]),
            list(&["curl", "jq"]),
            list(&["nano", "curl"]),
            None,
        );
        check(None, list(&[]), list(&[]), list(&[]), None);
        let elsewhere = format!("needs beos or plan9; this is {}", system());
        check(
            list(&["beos", "plan9"]),
            list(&["NONE"]),
            list(&["none"]),
            None,
            Some(&elsewhere),
        );
        check(
            None,
            list(&["KEY", "NONE"]),
            list(&["none"]),
            None,
            Some("needs the environment variable NONE"),
        );
        check(
            None,
            list(&["BLANK"]),
            None,
            None,
            Some("needs the environment variable BLANK"),
        );
        check(
            None,
            None,
            list(&["curl", "none"]),
            list(&["none"]),
            Some("needs the program none on the PATH"),
        );
        for odd in ["notes", "folder", "", "./curl", "../curl"] {
            let expected = format!("needs the program {odd} on the PATH");
            check(None, None, list(&[odd]), None, Some(&expected));
        }
        let none = "needs one of the programs none, notes on the PATH";
        check(None, None, None, list(&["none", "notes"]), Some(none));
    }

    #[test]
    fn always_opens_every_gate() {
        let terms = Terms {
            always: Some(true),
            os: list(&["beos"]),
            requires: Some(Requires {
                env: list(&["NONE"]),
                ..Requires::default()
            }),
            ..Terms::default()
        };
        assert_eq!(shut(&terms, &Machine::default()), None);
        let terms = Terms {
            always: Some(false),
            ..terms
        };
        assert!(shut(&terms, &Machine::default()).is_some());
    }
}
