//! What a shell command would do, by its words (OpenClaw contract §8.4, shell).
//!
//! `read` makes simple commands of a script; `unwrap` knows what programs run other programs; `walk`
//! goes through all of it and asks the rules. Nothing is ever run or looked up, and every step is
//! bounded: what is too long or too deep is for a person to judge.
//!
//! To teach it a program that runs others: a row in `unwrap`. To forbid or allow a command: the document.

mod fetch;
mod mode;
mod paths;
mod read;
pub(crate) mod rules;
mod script;
mod unwrap;
mod walk;
mod word;

pub(crate) use script::Word;
pub(crate) use walk::{Surroundings, judge};

#[cfg(test)]
mod tests;
