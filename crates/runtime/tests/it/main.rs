//! Whole turns against an external Mission Control backend and a scripted model.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy exempts test functions but not the functions they share"
)]

mod backend;
mod crew;
mod faults;
mod idempotency;
mod model;
mod replies;
mod threads;
mod tools;
