//! The kernel's `Tx` over any driver.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stationmaster_kernel::page::Position;
use stationmaster_kernel::{Error, Result, Timestamp, Tx, Work};
use uuid::Uuid;

use crate::clock::Moment;
use crate::sql::{Driver, Failure, FailureKind, Param, Row, Select};

/// One transaction. Once a statement has failed it refuses everything else, so that no rule can
/// go on in a transaction that is lost.
pub(crate) struct Handle<'a> {
    driver: &'a mut dyn Driver,
    moment: Moment,
    /// The last position given out.
    position: i64,
    failed: Option<FailureKind>,
    appended: bool,
}

impl<'a> Handle<'a> {
    pub(crate) fn new(driver: &'a mut dyn Driver, moment: Moment, position: i64) -> Self {
        Self {
            driver,
            moment,
            position,
            failed: None,
            appended: false,
        }
    }

    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// How a statement of this transaction failed, if one did.
    pub(crate) fn failure(&self) -> Option<FailureKind> {
        self.failed
    }

    /// Whether it wrote events.
    pub(crate) fn has_appended(&self) -> bool {
        self.appended
    }

    pub(crate) fn mark_appended(&mut self) {
        self.appended = true;
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64> {
        self.check()?;
        let outcome = self.driver.execute(sql, params);
        self.settle(outcome)
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        self.check()?;
        let outcome = self.driver.query(sql, params);
        self.settle(outcome)
    }

    /// Every row, turned into a noun.
    pub(crate) fn all<T>(
        &mut self,
        select: &Select<'_>,
        read: fn(Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (sql, params) = select.parts();
        self.query(sql, params)?.into_iter().map(read).collect()
    }

    /// The first row, if there is one, turned into a noun.
    pub(crate) fn one<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: fn(Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.query(sql, params)?
            .into_iter()
            .next()
            .map(read)
            .transpose()
    }

    /// The one number of the one row of an aggregate.
    pub(crate) fn number(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64> {
        Ok(self.one(sql, params, |mut row| row.count())?.unwrap_or(0))
    }

    fn check(&self) -> Result<()> {
        match self.failed {
            None => Ok(()),
            Some(kind) => Err(Failure {
                kind,
                cause: "an earlier statement of this transaction failed".into(),
            }
            .into_error()),
        }
    }

    fn settle<T>(&mut self, outcome: Result<T, Failure>) -> Result<T> {
        outcome.map_err(|failure| {
            self.failed = Some(failure.kind);
            failure.into_error()
        })
    }
}

/// Runs a query in a transaction that has begun; gives its outcome, and how a statement failed if
/// one did.
pub(crate) fn run_query(
    driver: &mut dyn Driver,
    moment: Moment,
    work: &mut dyn Work,
) -> (Result<()>, Option<FailureKind>) {
    let mut handle = Handle::new(driver, moment, 0);
    let outcome = catch_unwind(AssertUnwindSafe(|| work.run(&mut handle)));
    let outcome = match (outcome, handle.failed) {
        // What it says after a failure that it swallowed cannot be believed.
        (Ok(Ok(())), Some(_)) => Err(Error::internal("a query went on after a failed statement")),
        (Ok(outcome), _) => outcome,
        (Err(_), _) => Err(Error::internal("a query panicked")),
    };
    (outcome, handle.failed)
}

impl Tx for Handle<'_> {
    fn now(&self) -> Timestamp {
        self.moment.now
    }

    fn zone(&self) -> &TimeZone {
        &self.moment.zone
    }

    fn mint(&mut self, prefix: &str) -> String {
        let mut buffer = Uuid::encode_buffer();
        let unique = Uuid::now_v7().simple().encode_lower(&mut buffer);
        [prefix, unique].concat()
    }

    fn next_position(&mut self) -> Result<Position> {
        self.position += 1;
        Ok(Position(self.position))
    }

    fn random(&mut self) -> f64 {
        // The random half of a version 4 UUID, scaled to [0, 1).
        let bits = Uuid::new_v4().as_u64_pair().1 << 2 >> 11;
        bits as f64 / (1u64 << 53) as f64
    }
}

/// The text of something kept as JSON.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(stationmaster_kernel::Error::internal)
}

/// As [`to_json`], for something that may be absent.
pub(crate) fn to_optional_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(to_json).transpose()
}

/// Something kept as JSON, read back.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(stationmaster_kernel::Error::internal)
}

/// As [`from_json`], for something that may be absent.
pub(crate) fn from_optional_json<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>> {
    text.map(from_json).transpose()
}
