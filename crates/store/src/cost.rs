//! What runs cost, by quarters of an hour.

use stationmaster_kernel::cost::{CostFilter, CostSum, Costs, Entry, Quarter};
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::{Handle as Name, MicroUsd, Result, TenantId};

use crate::handle::Handle;
use crate::sql::{Row, Select, params};

macro_rules! sums {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            "CAST(COALESCE(SUM(runs), 0) AS BIGINT), CAST(COALESCE(SUM(tokens), 0) AS BIGINT), ",
            "CAST(COALESCE(SUM(cost_microusd), 0) AS BIGINT) FROM cost"
        )
    };
}

impl Costs for Handle<'_> {
    fn enter_cost(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.execute(
            "INSERT INTO cost (tenant, quarter, agent, model, kind, runs, tokens, cost_microusd) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (tenant, quarter, agent, model, kind) DO UPDATE SET runs = cost.runs + excluded.runs, \
             tokens = cost.tokens + excluded.tokens, cost_microusd = cost.cost_microusd + excluded.cost_microusd",
            params![
                entry.tenant.as_str(),
                entry.quarter.0,
                entry.agent.map_or("", Name::as_str),
                entry.model,
                entry.kind.map_or("", TaskKind::as_str),
                entry.runs,
                entry.tokens,
                entry.cost,
            ],
        )
        .map(drop)
    }

    fn cost(&mut self, filter: &CostFilter) -> Result<CostSum> {
        let mut select = Select::new(sums!(""));
        narrow(&mut select, filter);
        let (sql, params) = select.parts();
        Ok(self
            .one(sql, params, |mut row| sum(&mut row))?
            .unwrap_or_default())
    }

    fn cost_by_model(&mut self, filter: &CostFilter, limit: u32) -> Result<Vec<(String, CostSum)>> {
        let mut select = Select::new(sums!("model, "));
        narrow(&mut select, filter);
        select.push("GROUP BY model ORDER BY 4 DESC, 1 LIMIT ?", params![limit]);
        self.all(&select, |mut row| Ok((row.text()?, sum(&mut row)?)))
    }

    fn cost_by_kind(&mut self, filter: &CostFilter) -> Result<Vec<(Option<TaskKind>, CostSum)>> {
        let mut select = Select::new(sums!("kind, "));
        narrow(&mut select, filter);
        select.push("GROUP BY kind ORDER BY 4 DESC, 1", &[]);
        self.all(&select, |mut row| {
            Ok((TaskKind::parse(&row.text()?), sum(&mut row)?))
        })
    }
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a CostFilter) {
    select
        .push("WHERE quarter >= ?", params![Quarter::of(filter.since).0])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .filter("AND agent = ?", filter.agent.as_ref().map(Name::as_str));
}

/// Corrections of what was reported before may leave less than nothing in a short span.
fn sum(row: &mut Row) -> Result<CostSum> {
    let mut amount = || Ok(u64::try_from(row.int()?).unwrap_or(0));
    Ok(CostSum {
        runs: amount()?,
        tokens: amount()?,
        cost: MicroUsd(amount()?),
    })
}
