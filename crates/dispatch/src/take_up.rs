//! Goes on with turns that nobody is at any more: their process ended in the middle, or what they waited for
//! was decided. Woken by the log; looking costs one index read a commit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stationmaster_access::Database;
use stationmaster_kernel::{Result, RunId, run};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long to sleep when no lease runs out sooner; only a lost wake would need it.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait after the store or a turn failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Whoever runs turns.
#[async_trait]
pub trait Resumer: Send + Sync {
    /// Goes on with a turn, unless somebody was faster, and ends when it does.
    async fn resume(&self, run: &RunId);
}

/// Takes up abandoned turns.
pub struct TakeUp {
    pub database: Database,
    pub resumer: Arc<dyn Resumer>,
    /// How many turns run at once.
    pub parallel: usize,
}

impl TakeUp {
    /// Works until `stopping`, then lets the turns at hand finish.
    pub async fn run(self, stopping: CancellationToken) {
        let mut commits = self.database.commits();
        let mut turns: JoinSet<RunId> = JoinSet::new();
        let mut at_hand: Vec<RunId> = Vec::new();
        while !stopping.is_cancelled() {
            commits.mark_unchanged();
            let (found, sleep) = self.look().await.unwrap_or_else(|error| {
                tracing::warn!(cause = ?error.cause, "looking for abandoned turns failed; trying again");
                (Vec::new(), PAUSE)
            });
            for id in found {
                if turns.len() >= self.parallel || at_hand.contains(&id) {
                    continue;
                }
                at_hand.push(id.clone());
                let resumer = self.resumer.clone();
                turns.spawn(async move {
                    resumer.resume(&id).await;
                    id
                });
            }
            tokio::select! {
                _ = commits.changed() => {}
                Some(done) = turns.join_next() => note_done(&mut at_hand, done),
                () = tokio::time::sleep(sleep) => {}
                () = stopping.cancelled() => {}
            }
            while let Some(done) = turns.try_join_next() {
                note_done(&mut at_hand, done);
            }
        }
        while turns.join_next().await.is_some() {}
    }

    /// What nobody is at, and how long it is until there may be more.
    async fn look(&self) -> Result<(Vec<RunId>, Duration)> {
        let limit = u32::try_from(self.parallel).unwrap_or(u32::MAX);
        let (now, (found, next)) = self
            .database
            .read(move |tx| Ok((tx.now(), run::abandoned(tx, limit)?)))
            .await?;
        let wait = next.map_or(IDLE, |next| {
            Duration::from_millis(next.0.saturating_sub(now.0).max(0).unsigned_abs() + 1).min(IDLE)
        });
        Ok((found, wait))
    }
}

fn note_done(at_hand: &mut Vec<RunId>, done: std::result::Result<RunId, tokio::task::JoinError>) {
    match done {
        Ok(id) => at_hand.retain(|it| *it != id),
        Err(error) => {
            tracing::error!(%error, "a turn that was taken up broke off");
            // Which one it was is not told; they are all looked at again.
            at_hand.clear();
        }
    }
}
