//! The head of a `SKILL.md` (agent-runtime §6): YAML between two `---` lines.
//!
//! A head that says something other than what it may say is a fault, never a skill with fewer
//! conditions than its author wrote.

use serde::Deserialize;
use serde_json::Value;

/// What is wrong with a head, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In the file, counted from 1.
    pub line: usize,
    pub reason: String,
}

/// What a head says. All of it is optional, and so is the head.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Head {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    /// As it was written, for whoever shows it.
    pub(super) metadata: Option<Value>,
    pub(super) terms: Terms,
}

/// What the program itself reads of the metadata: `metadata.openclaw`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    pub(super) emoji: Option<String>,
    /// Enabled whatever else is asked for.
    pub(super) always: Option<bool>,
    pub(super) os: Option<Vec<String>>,
    pub(super) requires: Option<Requires>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Requires {
    pub(super) env: Option<Vec<String>>,
    /// All of them on the `PATH`.
    pub(super) bins: Option<Vec<String>>,
    /// One of them on the `PATH`.
    pub(super) any_bins: Option<Vec<String>>,
}

/// The members with their kinds, so that an error knows its line.
#[derive(Default, Deserialize)]
struct Typed {
    name: Option<String>,
    description: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    openclaw: Option<Terms>,
}

#[derive(Default, Deserialize)]
struct Raw {
    metadata: Option<Value>,
}

const RULE: &str = "---";

/// The head and the body of a `SKILL.md`; a file that does not begin with a rule is all body.
pub(super) fn read(text: &str) -> (Result<Head, Fault>, &str) {
    match split(text) {
        Ok((Some(yaml), body)) => (parse(yaml), body.trim()),
        Ok((None, body)) => (Ok(Head::default()), body.trim()),
        Err(fault) => (Err(fault), ""),
    }
}

fn split(text: &str) -> Result<(Option<&str>, &str), Fault> {
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == RULE) else {
        return Ok((None, text));
    };
    let mut end = first.len();
    for line in lines {
        if line.trim_end() == RULE {
            let body = &text[end + line.len()..];
            // With the end of the first line, so that lines are counted as in the file.
            return Ok((Some(&text[first.len() - 1..end]), body));
        }
        end += line.len();
    }
    Err(Fault {
        line: 1,
        reason: "the front matter has no line --- at its end".to_owned(),
    })
}

fn parse(yaml: &str) -> Result<Head, Fault> {
    if yaml.trim().is_empty() {
        return Ok(Head::default());
    }
    let typed: Option<Typed> = serde_saphyr::from_str(yaml).map_err(|error| fault(&error))?;
    let raw: Option<Raw> = serde_saphyr::from_str(yaml).map_err(|error| fault(&error))?;
    let typed = typed.unwrap_or_default();
    let said = |text: Option<String>| {
        text.map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    Ok(Head {
        name: said(typed.name),
        description: said(typed.description),
        metadata: raw.unwrap_or_default().metadata,
        terms: typed
            .metadata
            .and_then(|metadata| metadata.openclaw)
            .unwrap_or_default(),
    })
}

fn fault(error: &serde_saphyr::Error) -> Fault {
    let line = error.location().map_or(1, |at| at.line());
    let reason = error.without_snippet().to_string();
    Fault {
        line: usize::try_from(line).unwrap_or(1),
        reason: reason.lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn head(yaml: &str) -> Head {
        let text = format!("---\n{yaml}\n---\nThe body\n");
        let (head, body) = read(&text);
        assert_eq!(body, "The body", "{yaml}");
        head.unwrap_or_else(|fault| panic!("{yaml}: {fault:?}"))
    }

    fn names(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn metadata_means_the_same_as_a_block_and_inline() {
        let block = "name: weather\ndescription: Tells the weather\nmetadata:\n  openclaw:\n    emoji: \"☔\"\n    \
            os: [linux, darwin]\n    requires:\n      env:\n        - WEATHER_KEY\n      bins: [curl]\n      \
            anyBins: [jq, yq]\n      config: [weather.on]";
        let inline = "name: \"weather\"\ndescription: 'Tells the weather'\nmetadata: {\"openclaw\":{\"emoji\":\"☔\",\
            \"os\":[\"linux\",\"darwin\"],\"requires\":{\"env\":[\"WEATHER_KEY\"],\"bins\":[\"curl\"],\
            \"anyBins\":[\"jq\",\"yq\"],\"config\":[\"weather.on\"]}}}";
        let read = head(block);
        assert_eq!(read, head(inline));
        assert_eq!(read.name.as_deref(), Some("weather"));
        assert_eq!(read.description.as_deref(), Some("Tells the weather"));
        assert_eq!(
            read.metadata,
            Some(json!({"openclaw": {
                "emoji": "☔", "os": ["linux", "darwin"],
                "requires": {
                    "env": ["WEATHER_KEY"], "bins": ["curl"], "anyBins": ["jq", "yq"], "config": ["weather.on"],
                },
            }}))
        );
        let requires = read.terms.requires.unwrap();
        assert_eq!(requires.env, names(&["WEATHER_KEY"]));
        assert_eq!(requires.bins, names(&["curl"]));
        assert_eq!(requires.any_bins, names(&["jq", "yq"]));
        assert_eq!(read.terms.os, names(&["linux", "darwin"]));
    }

    #[test]
    fn a_head_may_say_little() {
        for yaml in ["", "\n\n", "# nothing", "name:\nmetadata:", "other: [1, 2]"] {
            let read = head(yaml);
            assert_eq!(read.terms, Terms::default(), "{yaml:?}");
            assert_eq!((read.name, read.description), (None, None), "{yaml:?}");
        }
        assert_eq!(head("name: 007").name.as_deref(), Some("007"));
        let folded = head("description: >-\n  One\n  two");
        assert_eq!(folded.description.as_deref(), Some("One two"));
        assert_eq!(
            head("metadata: {openclaw: {always: true}}").terms.always,
            Some(true)
        );
    }

    #[test]
    fn a_file_without_a_head_is_all_body() {
        for text in [
            "",
            "# Title\n---\nname: x\n---\n",
            "-- -\nx",
            " ---\nx\n---",
        ] {
            let (head, body) = read(text);
            assert_eq!((head, body), (Ok(Head::default()), text.trim()), "{text:?}");
        }
        let (windows, body) = read("---\r\nname: x\r\n---\r\nBody\r\n");
        assert_eq!(
            (windows.unwrap().name.as_deref(), body),
            (Some("x"), "Body")
        );
        let (empty, body) = read("---\n---");
        assert_eq!((empty, body), (Ok(Head::default()), ""));
    }

    #[test]
    fn what_cannot_be_understood_is_a_fault_with_its_line() {
        for (yaml, line) in [
            ("name: x\ndescription: [", 3),
            ("name: x\n\tdescription: y", 2),
            ("name: x\nname: y", 3),
            ("description: Use when: raining", 2),
            ("name: [a]", 2),
            ("- name", 2),
            ("metadata: text", 2),
            ("metadata:\n  openclaw:\n    always: perhaps", 4),
            ("metadata:\n  openclaw:\n    requires:\n      env: KEY", 5),
            (
                "metadata:\n  openclaw:\n    requires:\n      bins:\n        - {a: b}",
                6,
            ),
        ] {
            let text = format!("---\n{yaml}\n---\nBody");
            let fault = read(&text).0.unwrap_err();
            assert_eq!(fault.line, line, "{yaml}: {fault:?}");
            assert!(!fault.reason.is_empty(), "{yaml}");
        }
        let open = read("---\nname: x\nBody without end").0.unwrap_err();
        assert_eq!(open.line, 1);
    }

    #[test]
    fn a_head_cannot_blow_up() {
        let mut yaml = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (from, to) in ["a", "b", "c", "d", "e", "f", "g", "h"]
            .iter()
            .zip(["b", "c", "d", "e", "f", "g", "h", "i"])
        {
            yaml.push_str(&format!(
                "{to}: &{to} [{}]\n",
                vec![format!("*{from}"); 10].join(", ")
            ));
        }
        yaml.push_str("metadata: *i");
        assert!(read(&format!("---\n{yaml}\n---\n")).0.is_err());
        let deep = format!("metadata: {}", "[".repeat(10_000));
        assert!(read(&format!("---\n{deep}\n---\n")).0.is_err());
    }
}
