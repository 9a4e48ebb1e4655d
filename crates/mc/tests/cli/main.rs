//! The `mc` command against a server made of script: which requests it makes, what it prints, how it
//! ends.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on fails; scripts and tables read better without `&`"
)]

mod approvals;
mod configuration;
mod doctor;
mod errors;
mod follow;
mod mcp;
mod output;
mod program_run;
mod requests;
mod retries;
mod stub;
mod tasks;
