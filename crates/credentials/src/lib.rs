//! Secrets that cannot be printed, and the tokens made with them.
//!
//! Every comparison takes the same time whatever differs, and a token is only ever checked with
//! the one algorithm that is configured.

mod agent;
mod provider;
mod secret;
mod token;

pub use agent::{AgentClaims, Minter};
pub use secret::Secret;
pub use token::{Algorithm, Claims, TokenError, TokenKey};
