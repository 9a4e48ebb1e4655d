//! Tool calls.

use stationmaster_kernel::tool_call::{ToolCall, ToolCalls};
use stationmaster_kernel::{Result, RunId, TaskId, Timestamp, ToolCallId};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Row, Select, params};

impl ToolCalls for Handle<'_> {
    fn tool_call(&mut self, id: &ToolCallId) -> Result<Option<ToolCall>> {
        self.one(
            "SELECT body FROM tool_call WHERE id = ?1",
            params![id.as_str()],
            read,
        )
    }

    fn put_tool_call(&mut self, call: &ToolCall) -> Result<()> {
        let body = to_json(call)?;
        self.execute(
            "INSERT INTO tool_call (position, id, tenant, run, task, tool, status, error, updated_at, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, error = excluded.error, \
             updated_at = excluded.updated_at, body = excluded.body",
            params![
                call.position.0,
                call.id.as_str(),
                call.tenant.as_str(),
                call.run.as_str(),
                call.task.as_ref().map(TaskId::as_str),
                &call.tool,
                call.status.as_str(),
                call.error.as_ref(),
                call.updated_at.0,
                &body,
            ],
        )
        .map(drop)
    }

    fn tool_calls_of_run(&mut self, run: &RunId, offset: u32, limit: u32) -> Result<Vec<ToolCall>> {
        let mut select = Select::new("SELECT body FROM tool_call");
        select.push(
            "WHERE run = ? ORDER BY position LIMIT ? OFFSET ?",
            params![run.as_str(), limit, offset],
        );
        self.all(&select, read)
    }

    fn tool_calls_of_task(&mut self, task: &TaskId, limit: u32) -> Result<Vec<ToolCall>> {
        let mut select = Select::new("SELECT body FROM tool_call");
        select.push(
            "WHERE task = ? ORDER BY position LIMIT ?",
            params![task.as_str(), limit],
        );
        self.all(&select, read)
    }

    fn failed_call_count(
        &mut self,
        run: &RunId,
        tool: &str,
        error: &str,
        since: Timestamp,
    ) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM tool_call WHERE run = ?1 AND tool = ?2 AND error = ?3 AND status = 'FAILED' \
             AND updated_at >= ?4",
            params![run.as_str(), tool, error, since.0],
        )
    }
}

fn read(mut row: Row) -> Result<ToolCall> {
    from_json(&row.text()?)
}
