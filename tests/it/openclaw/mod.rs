//! The OpenClaw Mission Control contract, sentence by sentence. `§` is that contract's section.

mod acceptance;
mod agents;
mod cli;
mod clients;
mod envelope;
mod evaluate;
mod guard;
mod install;
mod ledger;
mod mcp;
mod messages;
mod problems;
mod races;
mod reports;
mod routes;
mod rules;
mod tasks;
mod webhooks;
mod world;
