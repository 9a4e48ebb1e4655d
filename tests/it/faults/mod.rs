//! What must hold when things go wrong: killed processes, several instances, rude clients.

mod connections;
mod instances;
mod kill;
mod load;
mod log;
mod turns;
