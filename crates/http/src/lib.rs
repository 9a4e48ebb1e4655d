//! What everything that speaks HTTP shares: who is asking, reading bodies, paging, creates that
//! happen once, event streams, and serving connections.
//!
//! Nothing here knows a contract's words: each surface turns the kernel's answers and errors into
//! its own.

pub mod body;
pub mod fields;
pub mod gate;
pub mod limit;
pub mod meter;
pub mod once;
pub mod paging;
pub mod query;
pub mod server;
pub mod stream;

use std::sync::Arc;

use stationmaster_access::Database;

pub use gate::Gate;

/// What every handler is given; clones share it.
#[derive(Clone)]
pub struct App {
    pub database: Database,
    pub gate: Arc<Gate>,
    /// The program's version, for answers that tell it.
    pub version: &'static str,
    /// Stops streams when the server stops.
    pub stopping: tokio_util::sync::CancellationToken,
}
