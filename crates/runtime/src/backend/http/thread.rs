//! Finding or making the task of a conversation by its title (agent-runtime §4).

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{HttpBackend, wire};
use crate::AgentIdentity;
use crate::backend::{BackendErrorKind, BackendResult, NewThread, TaskRef};

/// How far to look back: 2,000 tasks.
const PAGES: usize = 20;
/// As many as every backend gives.
const PAGE: &str = "50";

impl HttpBackend {
    pub(super) async fn open_thread(
        &self,
        who: &AgentIdentity,
        thread: &NewThread,
    ) -> BackendResult<TaskRef> {
        if let Some(task) = self.find_thread(who, &thread.title).await? {
            return Ok(task);
        }
        let key = thread_key(who, &thread.title);
        let body = json!({
            "title": thread.title,
            "description": thread.description,
            "status": "in_progress",
            "metadata": thread.metadata,
        });
        let conflict = match self.create(who, &["tasks"], body, &key).await {
            Err(conflict) if conflict.kind == BackendErrorKind::Conflict => conflict,
            made => return made,
        };
        // Another turn has made it, with another description.
        if let Some(task) = self.find_thread(who, &thread.title).await? {
            return Ok(task);
        }
        // And a backend that lists its oldest tasks only does not show it. What says nothing but the
        // title is the same whoever asks, so at least all of them meet in one place.
        tracing::debug!(reason = conflict.message, "the thread is not listed");
        let plain = json!({"title": thread.title, "status": "in_progress"});
        self.create(who, &["tasks"], plain, &format!("{key}:plain"))
            .await
    }

    /// The newest task of exactly this title. The filter is our backend's own; one that does not
    /// know it lists everything, which is why titles are compared and pages followed.
    async fn find_thread(
        &self,
        who: &AgentIdentity,
        title: &str,
    ) -> BackendResult<Option<TaskRef>> {
        let mut cursor = None;
        for _ in 0..PAGES {
            let query = [
                ("limit", Some(PAGE.to_owned())),
                ("title", Some(title.to_owned())),
                ("cursor", cursor.clone()),
            ];
            let page: wire::List<TaskRef> = self.list(who, &["tasks"], &query).await?;
            let found = page
                .items
                .into_iter()
                .find(|task| task.title.as_deref() == Some(title));
            // A cursor that stays the same is one that the backend does not follow.
            if found.is_some() || page.next_cursor.is_none() || page.next_cursor == cursor {
                return Ok(found);
            }
            cursor = page.next_cursor;
        }
        Ok(None)
    }
}

/// The same for all who want the thread of this title, so that only one of them makes it.
fn thread_key(who: &AgentIdentity, title: &str) -> String {
    let digest = Sha256::digest(format!("{}\n{title}", who.user_id).as_bytes());
    format!("thread:{}", hex::encode(digest))
}
