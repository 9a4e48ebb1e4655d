//! Handing in: the deliverable and the checklist (§5.5).

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::state::transition;
use super::talk::base_name;
use super::{TYPE, brief};
use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::plan;
use crate::print::Shape;
use crate::session::Session;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// The text that was asked for; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    deliverable: Option<PathBuf>,
    /// The filled-in checklist; see: mc task checklist TYPE
    #[arg(long, value_name = "FILE.json")]
    checklist: Option<PathBuf>,
    /// What it is, in a sentence or two
    #[arg(long)]
    summary: Option<String>,
    /// Further files or addresses, as WHAT or TYPE=WHAT; may be repeated
    #[arg(long = "artifact", value_name = "FILE|URL", value_parser = attachment)]
    artifacts: Vec<Attachment>,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Checklist {
    /// CONTENT, SOCIAL, EMAIL_MARKETING, CUSTOMER_RESEARCH, SEO_RESEARCH, ENGINEERING, DOCS or OPS
    #[arg(value_name = "TYPE", value_parser = TYPE)]
    kind: String,
}

/// Something handed in beside the deliverable.
#[derive(Debug, Clone)]
struct Attachment {
    kind: String,
    place: String,
}

fn attachment(text: &str) -> Result<Attachment, String> {
    let (kind, place) = match text.split_once('=') {
        Some((kind, place)) if words::ARTIFACT_TYPES.contains(&kind.to_uppercase().as_str()) => {
            (kind.to_uppercase(), place)
        }
        _ => ("DELIVERABLE".to_owned(), text),
    };
    if place.is_empty() {
        return Err("must be a file or an address, or TYPE=FILE".to_owned());
    }
    Ok(Attachment {
        kind,
        place: place.to_owned(),
    })
}

impl Attachment {
    fn read(self) -> Result<Value, Failure> {
        if self.place.starts_with("http://") || self.place.starts_with("https://") {
            let path = self.place.split(['?', '#']).next().unwrap_or_default();
            let name = path
                .rsplit('/')
                .find(|part| !part.is_empty())
                .unwrap_or(&self.place);
            return Ok(json!({"name": name, "type": self.kind, "url": self.place}));
        }
        let path = Path::new(&self.place);
        let content = plan::read_text(path)?;
        Ok(json!({"name": base_name(path)?, "type": self.kind, "content": content}))
    }
}

impl Submit {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut artifacts = Vec::new();
        let mut content = None;
        if let Some(path) = &self.deliverable {
            content = Some(plan::read_text(path)?);
            if path.as_os_str() != "-" {
                artifacts.push(json!({"name": base_name(path)?, "type": "DELIVERABLE"}));
            }
        }
        for attachment in self.artifacts {
            artifacts.push(attachment.read()?);
        }
        let checklist = self.checklist.as_deref().map(read_checklist).transpose()?;
        let deliverable = Body::new()
            .maybe("content", content)
            .maybe("artifacts", (!artifacts.is_empty()).then_some(artifacts))
            .maybe("summary", self.summary);
        // What is missing the server says, all of it at once.
        let body = Body::new()
            .maybe("deliverable", deliverable.if_any())
            .maybe("reviewChecklist", checklist)
            .maybe("reason", self.reason);
        session
            .show(transition(&self.id, "REVIEW", body), Shape::One, brief)
            .await
    }
}

fn read_checklist(path: &Path) -> Result<Value, Failure> {
    let text = plan::read_text(path)?;
    let shown = path.display();
    let failure = match serde_json::from_str::<Value>(&text) {
        Ok(checklist) if checklist["items"].is_array() => return Ok(checklist),
        Ok(_) => Failure::usage(format!(
            "{shown} is no checklist: it must be like {{\"type\": \"CONTENT\", \"items\": [{{\"label\": \"…\", \"checked\": true}}]}}"
        )),
        Err(error) => Failure::usage(format!("{shown} is not JSON: {error}")),
    };
    Err(failure.hint("start from: mc task checklist TYPE > checklist.json"))
}

impl Checklist {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = Call::get(&["checklists", &self.kind]);
        let reply = session.client.send(&call).await?;
        if session.out.is_json() {
            session.out.write_json(&reply.text)?;
        } else {
            // It is printed to be saved and edited, so it is JSON in every format.
            let text = serde_json::to_string_pretty(&reply.body).unwrap_or(reply.text);
            session.out.write_json(&text)?;
        }
        Ok(Exit::Done)
    }
}
