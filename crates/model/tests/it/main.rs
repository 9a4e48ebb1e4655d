//! The client against a scripted provider, over real HTTP, in both wire formats.

mod answers;
mod faults;
mod setup;
mod simpler;
