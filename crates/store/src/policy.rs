//! Versions of the rules.

use stationmaster_kernel::policy::{Head, Policies, Version};
use stationmaster_kernel::{Result, Timestamp};

use crate::handle::Handle;
use crate::sql::{Param, Row, Select, params};

const COLUMNS: &str =
    "SELECT version, scope, document, digest, created_by, created_at, removed FROM policy";
/// Only the newest version of each scope.
const NEWEST: &str =
    "version = (SELECT MAX(version) FROM policy newer WHERE newer.scope = policy.scope)";

impl Policies for Handle<'_> {
    fn policy(&mut self, scope: &str) -> Result<Option<Version>> {
        Ok(self.policy_versions(scope, 1)?.into_iter().next())
    }

    fn insert_policy(&mut self, version: &Version) -> Result<()> {
        self.execute(
            "INSERT INTO policy (version, scope, document, digest, created_by, created_at, removed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                version.version,
                &version.scope,
                &version.document,
                &version.digest,
                &version.created_by,
                version.created_at.0,
                i64::from(version.removed),
            ],
        )
        .map(drop)
    }

    fn policy_scopes(&mut self) -> Result<Vec<Version>> {
        let mut select = Select::new(COLUMNS);
        let newest = format!("WHERE {NEWEST} ORDER BY scope");
        select.push(&newest, &[]);
        self.all(&select, read)
    }

    fn policy_heads(&mut self, scopes: &[String]) -> Result<Vec<Head>> {
        let names: Vec<Param<'_>> = scopes.iter().map(|scope| scope.into()).collect();
        let newest = format!("WHERE {NEWEST}");
        let mut select = Select::new("SELECT scope, version, digest, removed FROM policy");
        select.push(&newest, &[]);
        select.any_of("AND scope IN", &names);
        self.all(&select, |mut row| {
            Ok(Head {
                scope: row.text()?,
                version: row.int()?,
                digest: row.text()?,
                removed: row.int()? != 0,
            })
        })
    }

    fn policy_versions(&mut self, scope: &str, limit: u32) -> Result<Vec<Version>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE scope = ? ORDER BY version DESC LIMIT ?",
            params![scope, limit],
        );
        self.all(&select, read)
    }
}

fn read(mut row: Row) -> Result<Version> {
    Ok(Version {
        version: row.int()?,
        scope: row.text()?,
        document: row.text()?,
        digest: row.text()?,
        created_by: row.text()?,
        created_at: Timestamp(row.int()?),
        removed: row.int()? != 0,
    })
}
