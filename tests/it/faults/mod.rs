//! What must hold when things go wrong: killed processes, several instances, rude clients.
