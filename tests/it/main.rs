//! The one integration binary: the real program over real HTTP, a folder for each contract.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod agent_runtime;
mod faults;
mod interop;
mod mission_control;
mod openclaw;
mod pages;
mod support;
