//! Names of things. Every id is an opaque string; nothing ever parses one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What ids of this kind begin with.
            pub const PREFIX: &'static str = $prefix;

            /// Takes any text as it is: an id that nobody minted is simply not found.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(AgentId, "agent_");
id!(TaskId, "task_");
id!(MessageId, "msg_");
id!(DocumentId, "doc_");
id!(NotificationId, "notif_");
id!(ApprovalId, "approval_");
id!(RunId, "run_");
id!(ToolCallId, "tc_");
id!(TransitionId, "trn_");
id!(AlertId, "alert_");
id!(GrantId, "grant_");
id!(TokenId, "tok_");
id!(WebhookId, "wh_");
id!(DeliveryId, "whd_");

/// An event's place in the log: increasing in commit order, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who owns a row. On the Mission Control backend this is the token's `user_id`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    /// The one of whatever is not said to be anybody's (rulings 2).
    #[must_use]
    pub fn usual() -> Self {
        Self("default".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = Error;

    /// Any text of 1 to 255 characters without control characters.
    fn from_str(text: &str) -> Result<Self, Error> {
        let length = text.chars().count();
        if length == 0 || length > 255 || text.chars().any(char::is_control) {
            return Err(Error::invalid(
                "user_id",
                "must be 1 to 255 characters and hold no control character",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<TenantId> for String {
    fn from(name: TenantId) -> Self {
        name.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an agent is called within its tenant; the Mission Control backend calls it the role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(String);

impl Handle {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` may name an agent: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}` (rulings 3).
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && text.len() <= 64
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }
}

impl FromStr for Handle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if Self::is_valid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(
                "agent_role",
                "must start with a letter or digit and go on with at most 63 letters, digits, '_' or '-'",
            ))
        }
    }
}

impl From<Handle> for String {
    fn from(name: Handle) -> Self {
        name.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
