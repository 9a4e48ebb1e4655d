//! Another program on the network that speaks JSON over HTTP: a Mission Control backend, a daemon.
//!
//! A [`Peer`] is where it is and how much patience it gets; a [`Request`] goes to it, a [`Failure`]
//! says what its not answering means. A [`Courier`] tells webhooks. What must stay true: every wait and every body has a bound,
//! redirects are not followed (the credentials would go with them), and neither a credential nor
//! a URL is in any message or log.

mod failure;
mod hook;
mod peer;
mod request;

pub use failure::{Failure, FailureKind};
pub use hook::{Courier, HookError, Reach, Untold, hex_signature, hook_url, standard_signature};
pub use peer::{Peer, PeerConfig, PeerError};
pub use request::Request;

/// An address, as the HTTP client reads it.
pub use reqwest::Url;
