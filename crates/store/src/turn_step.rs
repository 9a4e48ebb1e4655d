//! What turns have done so far.

use stationmaster_kernel::run::{StepKind, TurnStep, TurnSteps};
use stationmaster_kernel::{Result, RunId, Timestamp, ToolCallId};

use crate::handle::Handle;
use crate::sql::{Row, malformed, params};

impl TurnSteps for Handle<'_> {
    fn insert_turn_step(&mut self, step: &TurnStep) -> Result<()> {
        self.execute(
            "INSERT INTO turn_step (run, number, kind, tool_call, body, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                step.run.as_str(),
                step.number,
                step.kind.as_str(),
                step.call.as_ref().map(ToolCallId::as_str),
                &step.body,
                step.at.0,
            ],
        )
        .map(drop)
    }

    fn turn_steps(&mut self, run: &RunId) -> Result<Vec<TurnStep>> {
        self.query(
            "SELECT run, number, kind, tool_call, body, at FROM turn_step WHERE run = ?1 ORDER BY number",
            params![run.as_str()],
        )?
        .into_iter()
        .map(read)
        .collect()
    }

    fn turn_step_count(&mut self, run: &RunId) -> Result<u32> {
        let count = self.number(
            "SELECT COUNT(*) FROM turn_step WHERE run = ?1",
            params![run.as_str()],
        )?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn drop_turn_steps(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            "DELETE FROM turn_step WHERE (run, number) IN (SELECT old.run, old.number FROM turn_step old \
             JOIN run ON run.id = old.run WHERE old.at < ?1 AND run.status <> 'RUNNING' \
             ORDER BY old.at LIMIT ?2)",
            params![before.0, limit],
        )
    }
}

fn read(mut row: Row) -> Result<TurnStep> {
    Ok(TurnStep {
        run: RunId::new(row.text()?),
        number: u32::try_from(row.int()?).map_err(|_| malformed("a number"))?,
        kind: StepKind::parse(&row.text()?).ok_or_else(|| malformed("a kind of step"))?,
        call: row.optional_text()?.map(ToolCallId::new),
        body: row.text()?,
        at: Timestamp(row.int()?),
    })
}
