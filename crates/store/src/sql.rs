//! What both databases have in common: parameters, rows, statements, failures.

use stationmaster_kernel::{Error, Result};
use std::time::Duration;

/// A value on its way into a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param<'a> {
    Null,
    Int(i64),
    Text(&'a str),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Param<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Makes a parameter list out of values that turn into parameters.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Param::from($value)),*] };
}
pub(crate) use params;

/// A value on its way out.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
}

/// One row of an answer; its values are taken in the order of the statement's columns.
pub(crate) struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self {
            values: values.into_iter(),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.optional_int()?.ok_or_else(|| malformed("a number"))
    }

    pub(crate) fn optional_int(&mut self) -> Result<Option<i64>> {
        match self.values.next() {
            Some(Value::Int(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(malformed("a number or nothing")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.optional_text()?.ok_or_else(|| malformed("text"))
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        match self.values.next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(malformed("text or nothing")),
        }
    }

    /// A count, which is never negative.
    pub(crate) fn count<T: TryFrom<i64>>(&mut self) -> Result<T> {
        T::try_from(self.int()?).map_err(|_| malformed("a number in range"))
    }
}

/// The database holds something that this program never writes.
pub(crate) fn malformed(expected: &str) -> Error {
    Error::internal(format!(
        "the database holds a row that does not fit: expected {expected}"
    ))
}

/// How a statement failed, in the terms that decide what happens next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub kind: FailureKind,
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Another transaction was in the way; the same work may succeed when run again.
    Conflict,
    /// The connection is gone, and with it every transaction on it that had not begun to commit.
    Disconnected,
    /// It took longer than it may.
    TooSlow,
    /// The database cannot do it now: disk full, read-only, I/O error.
    Unable,
    /// The statement itself is at fault: a bug.
    Fault,
}

impl FailureKind {
    /// Whether the same may succeed at once, on a new connection if need be.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Self::Conflict | Self::Disconnected)
    }
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        let soon = Duration::from_secs(1);
        match self.kind {
            FailureKind::Conflict | FailureKind::Disconnected => {
                Error::unavailable("the database was busy; try again", soon)
            }
            FailureKind::TooSlow => {
                Error::unavailable("the database took too long; try again", soon)
            }
            FailureKind::Unable => {
                Error::unavailable("the database cannot do this now; try again", soon)
            }
            FailureKind::Fault => return Error::internal(self.cause),
        }
        .with_cause(self.cause)
    }
}

/// A connection that runs statements. Placeholders are `?1`, `?2`, …
pub(crate) trait Driver {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Failure>;
    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure>;
}

/// A `SELECT` put together from constant pieces. A clause writes each of its values as `?`.
pub(crate) struct Select<'a> {
    sql: String,
    params: Vec<Param<'a>>,
}

impl<'a> Select<'a> {
    /// Begins with everything up to and including `WHERE`'s first condition, or with `WHERE true`.
    pub(crate) fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            params: Vec::new(),
        }
    }

    /// Adds a clause with the values of its placeholders, in order.
    pub(crate) fn push(&mut self, clause: &str, values: &[Param<'a>]) -> &mut Self {
        self.sql.push(' ');
        let mut values = values.iter();
        for character in clause.chars() {
            self.sql.push(character);
            if character == '?' {
                self.params.extend(values.next());
                self.sql.push_str(&self.params.len().to_string());
            }
        }
        self
    }

    /// Adds a condition when there is a value for it.
    pub(crate) fn filter(
        &mut self,
        condition: &str,
        value: Option<impl Into<Param<'a>>>,
    ) -> &mut Self {
        match value {
            Some(value) => self.push(condition, &[value.into()]),
            None => self,
        }
    }

    /// Adds a condition on a set of values, such as `AND status IN`, unless the set is empty.
    pub(crate) fn any_of(&mut self, condition: &str, values: &[Param<'a>]) -> &mut Self {
        if values.is_empty() {
            return self;
        }
        let places = vec!["?"; values.len()].join(", ");
        self.push(&format!("{condition} ({places})"), values)
    }

    /// Adds place, order and length of a page; one row more than it holds tells whether it is the last.
    pub(crate) fn page(&mut self, page: stationmaster_kernel::Page) -> &mut Self {
        use stationmaster_kernel::page::Order;
        let limit = i64::from(page.limit) + 1;
        let (condition, order) = match page.order {
            Order::NewestFirst => ("AND position < ?", "ORDER BY position DESC LIMIT ?"),
            Order::OldestFirst => ("AND position > ?", "ORDER BY position LIMIT ?"),
        };
        self.filter(condition, page.after.map(|position| position.0))
            .push(order, &[limit.into()])
    }

    pub(crate) fn parts(&self) -> (&str, &[Param<'a>]) {
        (&self.sql, &self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_number_their_values_in_order() {
        let mut select = Select::new("SELECT 1 FROM t WHERE true");
        select
            .push("AND a = ?", params!["x"])
            .filter("AND b = ?", None::<i64>)
            .push("LIMIT ?", params![3i64]);
        let (sql, params) = select.parts();
        assert_eq!(sql, "SELECT 1 FROM t WHERE true AND a = ?1 LIMIT ?2");
        assert_eq!(params.len(), 2);
    }
}
