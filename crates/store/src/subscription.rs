//! Who follows which task.

use stationmaster_kernel::notification::Target;
use stationmaster_kernel::subscription::Subscriptions;
use stationmaster_kernel::{Result, TaskId, Tx as _};

use crate::handle::Handle;
use crate::sql::params;

impl Subscriptions for Handle<'_> {
    fn subscribe(&mut self, task: &TaskId, who: &Target) -> Result<()> {
        let position = self.next_position()?.0;
        self.execute(
            "INSERT INTO subscription (position, task, subscriber) VALUES (?1, ?2, ?3) \
             ON CONFLICT (task, subscriber) DO NOTHING",
            params![position, task.as_str(), who.as_str()],
        )
        .map(drop)
    }

    fn unsubscribe(&mut self, task: &TaskId, who: &Target) -> Result<()> {
        self.execute(
            "DELETE FROM subscription WHERE task = ?1 AND subscriber = ?2",
            params![task.as_str(), who.as_str()],
        )
        .map(drop)
    }

    fn subscribers(&mut self, task: &TaskId) -> Result<Vec<Target>> {
        self.query(
            "SELECT subscriber FROM subscription WHERE task = ?1 ORDER BY position",
            params![task.as_str()],
        )?
        .into_iter()
        .map(|mut row| row.text()?.parse())
        .collect()
    }
}
