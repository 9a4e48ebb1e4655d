//! Where in `mcp.json` something stands.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::ENTRIES;

/// The lines on which the values of the file's members, and its servers, begin.
pub(super) struct Lines<'a> {
    text: &'a str,
    members: HashMap<String, &'a RawValue>,
    servers: HashMap<String, &'a RawValue>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let members: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
        let servers = members.get(ENTRIES).map(|raw| raw.get());
        let servers = servers.and_then(|raw| serde_json::from_str(raw).ok());
        Self {
            text,
            members,
            servers: servers.unwrap_or_default(),
        }
    }

    pub(super) fn of_member(&self, name: &str) -> Option<usize> {
        self.line(self.members.get(name)?)
    }

    pub(super) fn of_server(&self, name: &str) -> Option<usize> {
        self.line(self.servers.get(name)?)
    }

    /// A raw value is a part of the text itself, so its place is known.
    fn line(&self, value: &RawValue) -> Option<usize> {
        let at = value.get().as_ptr().addr() - self.text.as_ptr().addr();
        let before = self.text.as_bytes().get(..at)?;
        Some(1 + before.iter().filter(|byte| **byte == b'\n').count())
    }
}
