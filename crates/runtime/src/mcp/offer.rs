//! What one turn has of the servers' tools.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stationmaster_kernel::Handle;
use stationmaster_mcp::{Given, ServerTool};
use stationmaster_model::ToolSpec;

use super::link::Link;
use crate::workspace::{SERVERS_FILE, ServerFault};

/// Between a server's name and a tool's.
const BETWEEN: &str = "__";
/// The longest name that a model can be offered.
const LONGEST_NAME: usize = 64;
/// More tools than this only confuse a model.
const MOST_TOOLS: usize = 64;
/// What is said of a server that is not there has a bound too.
const LONGEST_REASON: usize = 200;

/// The tools of a turn, and what it has to do without.
#[derive(Default)]
pub(crate) struct Offer {
    tools: Vec<Offered>,
    /// Servers, each with the reason.
    missing: Vec<(String, String)>,
}

/// A tool under the name that the model knows.
pub(crate) struct Offered {
    pub(crate) spec: ToolSpec,
    /// The role's list has it.
    pub(crate) is_listed: bool,
    pub(crate) is_repeatable: bool,
    tool: String,
    link: Arc<Link>,
}

impl Offer {
    pub(super) fn add(&mut self, link: &Arc<Link>, role: &Handle, tools: &[ServerTool]) {
        let server = link.server();
        for tool in tools.iter().filter(|tool| server.offers(role, &tool.name)) {
            let Some(name) = offered_name(&server.name, &tool.name) else {
                tracing::warn!(
                    server = server.name,
                    tool = tool.name,
                    "not offered: it has no name"
                );
                continue;
            };
            if self.named(&name).is_some() || self.tools.len() >= MOST_TOOLS {
                tracing::warn!(
                    server = server.name,
                    tool = tool.name,
                    "not offered: there is another, or there are too many"
                );
                continue;
            }
            self.tools.push(Offered {
                spec: ToolSpec {
                    name,
                    description: tool.description.clone(),
                    parameters: tool.parameters.clone().into(),
                },
                is_listed: server.lists(role, &tool.name),
                is_repeatable: tool.is_repeatable,
                tool: tool.name.clone(),
                link: Arc::clone(link),
            });
        }
    }

    pub(super) fn miss(&mut self, server: &str, reason: &str) {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let reason = reason.replace(char::is_whitespace, " ");
        self.missing.push((server.to_owned(), reason));
    }

    /// What `mcp.json` names and cannot be used.
    pub(super) fn tell(&mut self, faults: &[ServerFault]) {
        for fault in faults.iter().filter(|fault| fault.is_fatal) {
            let reason = format!("{SERVERS_FILE}: {}", fault.reason);
            self.miss(fault.server.as_deref().unwrap_or(SERVERS_FILE), &reason);
        }
    }

    pub(crate) fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.iter().map(|tool| &tool.spec)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|tool| tool.spec.name == name)
    }

    /// Why a tool that a model asks for is not there, if its server is not.
    pub(crate) fn lacks(&self, name: &str) -> Option<String> {
        let of = |server: &String| {
            let tool = name.strip_prefix(server.as_str());
            tool.is_some_and(|tool| tool.starts_with(BETWEEN))
        };
        let (server, reason) = self.missing.iter().find(|(server, _)| of(server))?;
        Some(format!(
            "the MCP server {server} is not available: {reason}"
        ))
    }

    /// What the model is told about servers that are not there.
    pub(crate) fn note(&self) -> Option<String> {
        if self.missing.is_empty() {
            return None;
        }
        let line = |(server, reason): &(String, String)| {
            format!(
                "- The tools of the MCP server {server} are not available in this turn: {reason}"
            )
        };
        let lines: Vec<String> = self.missing.iter().map(line).collect();
        Some(format!("## Unavailable Tools\n\n{}", lines.join("\n")))
    }
}

impl Offered {
    /// How long a call may take.
    pub(crate) fn limit(&self) -> Duration {
        self.link.server().timeout
    }

    /// What the model is told of a call; the other kind of it when the tool failed. The caller bounds the
    /// time, by the [limit](Self::limit).
    pub(crate) async fn call(&self, arguments: Map<String, Value>) -> Result<Value, String> {
        let server = self.link.server();
        let called = self.link.call(&self.tool, arguments).await;
        let given =
            called.map_err(|error| format!("the MCP server {} failed: {error}", server.name))?;
        let (ok, text) = (given.ok, given.text.clone());
        let told = told(given, server.result_chars);
        match ok {
            true => Ok(told),
            false if text.is_empty() => Err(told.to_string()),
            false => Err(cut(&text, server.result_chars).0.to_owned()),
        }
    }
}

/// What a tool gave, in `most` characters.
fn told(given: Given, most: usize) -> Value {
    let Given { text, data, .. } = given;
    let (text, all) = match data {
        // What does not fit as data is cut as text is.
        Some(data) if text.is_empty() => match data.to_string() {
            json if cut(&json, most).1 => (json, false),
            _ => return json!({ "data": data }),
        },
        Some(data) => {
            let both = format!("{text}\n{data}");
            if !cut(&both, most).1 {
                return json!({ "text": text, "data": data });
            }
            (both, false)
        }
        None => (text, true),
    };
    match cut(&text, most) {
        (_, false) if all => json!({ "text": text }),
        (start, _) => {
            json!({ "text": start, "truncated": true, "characters": text.chars().count() })
        }
    }
}

/// The start of a text, and whether that is not all of it.
fn cut(text: &str, most: usize) -> (&str, bool) {
    match text.char_indices().nth(most) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// The name under which a model is offered a tool; what it may not hold becomes `_`, and of what is too long
/// a digest stands for the end.
fn offered_name(server: &str, tool: &str) -> Option<String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let clean = tool.chars().map(|it| if fits(it) { it } else { '_' });
    let mut name = format!("{server}{BETWEEN}");
    name.extend(clean);
    if name.len() > LONGEST_NAME {
        let digest = Sha256::digest(tool.as_bytes());
        let digest: String = digest
            .iter()
            .take(4)
            .map(|it| format!("{it:02x}"))
            .collect();
        name.truncate(LONGEST_NAME - 1 - digest.len());
        name = format!("{name}_{digest}");
    }
    (!tool.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str, data: Option<Value>) -> Given {
        Given {
            ok: true,
            text: text.to_owned(),
            data,
        }
    }

    #[test]
    fn names_are_such_as_every_provider_takes() {
        let check = |tool: &str, name: Option<&str>| {
            assert_eq!(offered_name("web", tool).as_deref(), name, "{tool:?}");
        };
        check("search", Some("web__search"));
        check("pages.search/all ü", Some("web__pages_search_all__"));
        check("", None);
        check(&"x".repeat(59), Some(&format!("web__{}", "x".repeat(59))));
        let (one, other) = ("x".repeat(60), "x".repeat(61));
        let names = [&one, &other].map(|it| offered_name("web", it).unwrap());
        assert!(names.iter().all(|it| it.len() == 64), "{names:?}");
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn results_are_told_whole_or_with_the_truth_about_what_is_missing() {
        let data = json!({ "n": 1 });
        assert_eq!(told(given("üü", None), 2), json!({ "text": "üü" }));
        let cut = json!({ "text": "üü", "truncated": true, "characters": 3 });
        assert_eq!(told(given("üüü", None), 2), cut);
        assert_eq!(told(given("", None), 2), json!({ "text": "" }));
        assert_eq!(
            told(given("", Some(data.clone())), 7),
            json!({ "data": data })
        );
        let cut = json!({ "text": "{\"n\":1", "truncated": true, "characters": 7 });
        assert_eq!(told(given("", Some(data.clone())), 6), cut);
        let both = json!({ "text": "t", "data": data });
        assert_eq!(told(given("t", Some(data.clone())), 9), both);
        let cut = json!({ "text": "t\n{\"n\":1", "truncated": true, "characters": 9 });
        assert_eq!(told(given("t", Some(data)), 8), cut);
    }

    #[test]
    fn what_is_missing_is_said_and_a_call_of_it_too() {
        let mut offer = Offer::default();
        assert_eq!(offer.note(), None);
        offer.miss("web", "it ended\nat once");
        let note = offer.note().unwrap();
        assert!(
            note.contains("server web are") && note.contains("it ended at once"),
            "{note}"
        );
        assert!(offer.lacks("web__search").unwrap().contains("at once"));
        assert_eq!(offer.lacks("website__search"), None);
    }
}
