//! A newcomer's first minutes: a workspace to start from, something to watch, what to try next.

pub(crate) mod sample;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use stationmaster_access::Database;
use stationmaster_kernel::message::{self, ActorType, NewMessage};
use stationmaster_kernel::task::{self, NewTask, TaskFilter};
use stationmaster_kernel::{Page, Principal};

use crate::config::{make_private_dir, open_private_file};

/// The tenant of a newcomer's first tasks.
pub(crate) const TENANT: &str = "me";
const TITLE: &str = "Welcome aboard";
const QUESTION: &str = "Please write a short plan for our first day with a crew of agents.";

/// Writes the sample workspace where there is none yet; nothing that exists is touched.
pub(crate) fn make_workspace(directory: &Path) -> Result<bool> {
    if directory.exists() {
        return Ok(false);
    }
    for name in sample::FOLDERS {
        make_private_dir(&directory.join(name))?;
    }
    for (name, text) in sample::FILES {
        let path = directory.join(name);
        let parent = path.parent().unwrap_or(directory);
        make_private_dir(parent)?;
        open_private_file(&path)?
            .write_all(text.as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(true)
}

/// Gives the crew its first task, once: a person's message that wakes an agent.
pub(crate) async fn give_first_task(database: &Database) -> Result<()> {
    let given = database
        .write(|tx| {
            let who = Principal {
                tenant: Some(TENANT.parse()?),
                ..Principal::operator("you")
            };
            let filter = TaskFilter {
                title: Some(TITLE.to_owned()),
                ..TaskFilter::default()
            };
            if !task::list(tx, &who, &filter, Page::first(1))?
                .items
                .is_empty()
            {
                return Ok(());
            }
            let task = task::create(
                tx,
                &who,
                NewTask {
                    title: TITLE.to_owned(),
                    description: Some(
                        "The crew's first task, so that there is something to watch.".to_owned(),
                    ),
                    ..NewTask::default()
                },
            )?;
            let message = NewMessage {
                task: task.id,
                content: format!("@writer {QUESTION}"),
                actor_type: ActorType::User,
                actor_id: Some("you".to_owned()),
                agent_role: None,
                attachments: None,
            };
            message::post(tx, &who, message).map(drop)
        })
        .await;
    given.context("giving the crew its first task")
}
