//! Lists: newest first, a page at a time, stable while rows are added.

use serde::{Deserialize, Serialize};

/// A row's place in the order of commits; grows within a tenant and breaks ties between rows of
/// the same instant. It is what cursors hold (rulings 26).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many rows at most; the kernel trusts the surface's clamp.
    pub limit: u32,
    /// Where the page before this one ended; this one starts just past it.
    pub after: Option<Position>,
    pub order: Order,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

impl Page {
    /// The first page, newest first.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self {
            limit,
            after: None,
            order: Order::NewestFirst,
        }
    }
}

/// One page and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next: Option<Position>,
}

/// A row that has its place in a list.
pub trait Placed {
    fn position(&self) -> Position;
}

impl<T: Placed> List<T> {
    /// Cuts `rows`, which were read with one row more than the page holds, to the page.
    #[must_use]
    pub fn from_rows(mut rows: Vec<T>, page: Page) -> Self {
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more {
            rows.last().map(Placed::position)
        } else {
            None
        };
        Self { items: rows, next }
    }
}
