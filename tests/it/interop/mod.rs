//! One piece swapped at a time: our programs with somebody else's, and theirs with ours.
//!
//! The backend, the daemon and the dispatcher in here are written from the contracts alone and share
//! nothing with the program: they check tokens by hand and have the quirks of the originals.

mod backend;
mod carrying;
mod daemon;
mod failing;
mod ours;
mod program;
mod runtime;
mod site;
mod stopping;
mod utilities;
