//! The client against a scripted provider, over real HTTP, in both wire formats.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts test functions but not the functions they share"
)]

mod answers;
mod faults;
mod setup;
mod simpler;
mod streams;
