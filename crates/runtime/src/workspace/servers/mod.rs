//! `mcp.json`: the MCP servers whose tools agents may use.
//!
//! One wrong server is left out and told of; the others stay.

mod lines;
mod secrets;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};
use stationmaster_kernel::Handle;
use stationmaster_mcp::Reach;

use super::skills::Machine;
use lines::Lines;
use secrets::Secrets;

/// The file, in the workspace.
pub(crate) const FILE: &str = "mcp.json";
/// Its member that has the servers.
const ENTRIES: &str = "mcpServers";
/// More servers than this are not used.
const MOST_SERVERS: usize = 16;
/// A server's name is a part of its tools' names, which have 64 characters at most.
const LONGEST_NAME: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
const RESULT_CHARS: usize = 20_000;
const MOST_RESULT_CHARS: usize = 100_000;
/// In a role's list: every tool of the server.
const EVERY: &str = "*";

/// What `mcp.json` says.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    pub(crate) usable: Vec<Server>,
    pub(crate) faults: Vec<ServerFault>,
}

/// A server as it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) reach: Reach,
    /// For starting it and for a call of it.
    pub(crate) timeout: Duration,
    /// More of a result is not told.
    pub(crate) result_chars: usize,
    roles: Option<HashMap<String, Vec<String>>>,
    secrets: Secrets,
}

/// Something that an author of `mcp.json` should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerFault {
    /// `None` where the file as a whole is meant.
    pub(crate) server: Option<String>,
    /// The server, or the file, is not used. Else only what is told of is not.
    pub(crate) is_fatal: bool,
    pub(crate) reason: String,
    pub(crate) line: Option<usize>,
}

impl Server {
    /// Whether the role is offered any tool at all.
    pub(crate) fn is_for(&self, role: &Handle) -> bool {
        self.roles.is_none() || self.named(role).is_some_and(|names| !names.is_empty())
    }

    /// Whether the role is offered the tool.
    pub(crate) fn offers(&self, role: &Handle, tool: &str) -> bool {
        let among = |names: &[String]| names.iter().any(|name| name == EVERY || name == tool);
        self.roles.is_none() || self.named(role).is_some_and(among)
    }

    /// Whether the role's list has the tool by its name.
    pub(crate) fn lists(&self, role: &Handle, tool: &str) -> bool {
        let by_name = |names: &[String]| names.iter().any(|name| name == tool);
        tool != EVERY && self.named(role).is_some_and(by_name)
    }

    /// What the server said, without what it was told of our environment.
    pub(crate) fn discreet(&self, said: &str) -> String {
        self.secrets.hidden_in(said)
    }

    fn named(&self, role: &Handle) -> Option<&[String]> {
        let names = self.roles.as_ref()?.get(role.as_str())?;
        Some(names.as_slice())
    }
}

/// Reads the file's text. Programs are started in `directory`; `machine` has the variables that values name.
pub(super) fn read(text: &str, directory: &Path, machine: &Machine) -> Servers {
    let mut servers = Servers::default();
    let file: Value = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            servers.faults.push(ServerFault {
                server: None,
                is_fatal: true,
                reason: format!("is not JSON: {error}"),
                line: Some(error.line()),
            });
            return servers;
        }
    };
    let lines = Lines::of(text);
    let Some(entries) = file.get(ENTRIES).and_then(Value::as_object) else {
        let line = lines.of_member(ENTRIES);
        servers.tell(None, line, true, format!("has no object {ENTRIES}"));
        return servers;
    };
    for member in file.as_object().into_iter().flat_map(Map::keys) {
        if member != ENTRIES {
            let reason = format!("nothing reads its member {member:?}");
            servers.tell(None, lines.of_member(member), false, reason);
        }
    }
    for (name, entry) in entries {
        let mut look = Look {
            machine,
            unread: Vec::new(),
            secrets: Secrets::default(),
        };
        let line = lines.of_server(name);
        let is_full = servers.usable.len() >= MOST_SERVERS;
        match look.server(name, entry, directory) {
            Ok(Some(_)) if is_full => {
                let reason = format!("only {MOST_SERVERS} servers are used");
                servers.tell(Some(name), line, true, reason);
            }
            Ok(Some(server)) => servers.usable.push(server),
            Ok(None) => {}
            Err(reason) => servers.tell(Some(name), line, true, reason),
        }
        for member in look.unread {
            let reason = format!("nothing reads its member {member:?}");
            servers.tell(Some(name), line, false, reason);
        }
    }
    servers
}

impl Servers {
    fn tell(&mut self, server: Option<&str>, line: Option<usize>, is_fatal: bool, reason: String) {
        self.faults.push(ServerFault {
            server: server.map(str::to_owned),
            is_fatal,
            reason,
            line,
        });
    }
}

/// Reads one server.
struct Look<'a> {
    machine: &'a Machine,
    unread: Vec<String>,
    secrets: Secrets,
}

const MEMBERS: [&str; 11] = [
    "type",
    "disabled",
    "command",
    "args",
    "env",
    "cwd",
    "url",
    "headers",
    "roles",
    "timeoutSec",
    "maxResultChars",
];

impl Look<'_> {
    /// `None` for one that is switched off.
    fn server(
        &mut self,
        name: &str,
        entry: &Value,
        directory: &Path,
    ) -> Result<Option<Server>, String> {
        if !is_server_name(name) {
            return Err(format!(
                "the name must be 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, _ and -, without __"
            ));
        }
        let entry = entry.as_object().ok_or("must be an object")?;
        let unread = entry.keys().filter(|it| !MEMBERS.contains(&it.as_str()));
        self.unread = unread.cloned().collect();
        if flag(entry, "disabled")? {
            return Ok(None);
        }
        let reach = match (text(entry, "command")?, text(entry, "url")?) {
            (Some(command), None) => {
                let arguments = texts(entry, "args")?;
                let mut environment = self.machine.basics();
                environment.extend(self.pairs(entry, "env")?);
                let place = text(entry, "cwd")?.unwrap_or_default();
                Reach::program(command, arguments, environment, directory.join(place))
            }
            (None, Some(url)) => {
                let headers = self.pairs(entry, "headers")?;
                Reach::address(&url, &headers).map_err(|failure| failure.to_string())?
            }
            _ => return Err("must have either command or url".to_owned()),
        };
        check_type(entry, &reach)?;
        let timeout = number(entry, "timeoutSec", LONGEST_TIMEOUT.as_secs())?;
        let result_chars = number(entry, "maxResultChars", MOST_RESULT_CHARS as u64)?;
        Ok(Some(Server {
            name: name.to_owned(),
            reach,
            timeout: timeout.map_or(TIMEOUT, Duration::from_secs),
            result_chars: result_chars
                .and_then(|it| usize::try_from(it).ok())
                .unwrap_or(RESULT_CHARS),
            roles: roles(entry)?,
            secrets: std::mem::take(&mut self.secrets),
        }))
    }

    /// Texts by name, with the variables that they name filled in.
    fn pairs(
        &mut self,
        entry: &Map<String, Value>,
        member: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let wrong = || format!("{member} must be an object of texts");
        let Some(value) = entry.get(member) else {
            return Ok(Vec::new());
        };
        let pairs = value.as_object().ok_or_else(wrong)?;
        let filled = pairs.iter().map(|(name, value)| {
            let value = value.as_str().ok_or_else(wrong)?;
            Ok((name.clone(), self.secrets.fill_in(value, self.machine)?))
        });
        filled.collect()
    }
}

fn is_server_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits) && !name.contains("__")
}

fn check_type(entry: &Map<String, Value>, reach: &Reach) -> Result<(), String> {
    let fitting: &[&str] = match reach {
        Reach::Program(_) => &["stdio"],
        Reach::Address(_) => &["http", "streamable-http", "streamableHttp"],
    };
    match text(entry, "type")? {
        Some(kind) if !fitting.contains(&kind.as_str()) => Err(format!(
            "its type must be {} or left out, not {kind:?}",
            fitting[0]
        )),
        _ => Ok(()),
    }
}

fn text(entry: &Map<String, Value>, member: &str) -> Result<Option<String>, String> {
    match entry.get(member) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("{member} must be a text")),
    }
}

fn flag(entry: &Map<String, Value>, member: &str) -> Result<bool, String> {
    let value = entry.get(member).map_or(Some(false), Value::as_bool);
    value.ok_or_else(|| format!("{member} must be true or false"))
}

fn list(value: &Value, what: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{what} must be a list of texts");
    let entries = value.as_array().ok_or_else(wrong)?;
    let texts = entries.iter().map(|it| it.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or_else(wrong)
}

fn texts(entry: &Map<String, Value>, member: &str) -> Result<Vec<String>, String> {
    let value = entry.get(member);
    value.map_or_else(|| Ok(Vec::new()), |value| list(value, member))
}

fn number(entry: &Map<String, Value>, member: &str, most: u64) -> Result<Option<u64>, String> {
    let Some(value) = entry.get(member) else {
        return Ok(None);
    };
    let fits = value.as_u64().filter(|number| (1..=most).contains(number));
    let number = fits.ok_or_else(|| format!("{member} must be a whole number from 1 to {most}"))?;
    Ok(Some(number))
}

fn roles(entry: &Map<String, Value>) -> Result<Option<HashMap<String, Vec<String>>>, String> {
    let Some(value) = entry.get("roles") else {
        return Ok(None);
    };
    let by_role = value.as_object().ok_or("roles must be an object")?;
    let mut roles = HashMap::new();
    for (role, names) in by_role {
        if role.parse::<Handle>().is_err() {
            return Err(format!("{role:?} in roles cannot be a role"));
        }
        roles.insert(role.clone(), list(names, &format!("roles.{role}"))?);
    }
    Ok(Some(roles))
}

#[cfg(test)]
mod tests;
