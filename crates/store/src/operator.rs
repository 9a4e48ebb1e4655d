//! The operator's mode.

use stationmaster_kernel::Result;
use stationmaster_kernel::operator::{Operators, Stance};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::params;

impl Operators for Handle<'_> {
    fn stance(&mut self) -> Result<Stance> {
        let found = self.one("SELECT body FROM operator WHERE id = 1", &[], |mut row| {
            from_json(&row.text()?)
        })?;
        Ok(found.unwrap_or_default())
    }

    fn put_stance(&mut self, stance: &Stance) -> Result<()> {
        let body = to_json(stance)?;
        self.execute(
            "INSERT INTO operator (id, body) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            params![&body],
        )
        .map(drop)
    }
}
