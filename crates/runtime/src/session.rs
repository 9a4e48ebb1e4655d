//! Who a turn is for: one agent of one tenant, as session keys name it (agent-runtime §2).

use std::fmt;
use std::str::FromStr;

use stationmaster_kernel::{Handle, TenantId};

/// Whom a turn speaks and acts as. Every call to a [`Backend`](crate::Backend) is made as one of
/// these; nothing a model or a request body says can widen it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AgentIdentity {
    /// The tenant, which the wire calls `user_id`.
    pub user_id: TenantId,
    pub role: Handle,
}

/// Names a conversation: `user:<userId>:<role>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(AgentIdentity);

/// Why a text is no session key, in words fit to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionKeyError {
    #[error("must be user:<userId>:<role>, three parts separated by ':'; this has {parts}")]
    Parts { parts: usize },
    #[error("must begin with \"user:\"")]
    Prefix,
    #[error("the user id in the middle is empty")]
    NoUser,
    #[error("the role at the end is empty")]
    NoRole,
    #[error("the user id {0}")]
    User(String),
    #[error("the role {0}")]
    Role(String),
}

impl SessionKey {
    #[must_use]
    pub fn new(agent: AgentIdentity) -> Self {
        Self(agent)
    }

    #[must_use]
    pub fn agent(&self) -> &AgentIdentity {
        &self.0
    }
}

impl FromStr for SessionKey {
    type Err = SessionKeyError;

    /// Exactly three non-empty parts. The role becomes part of a file name, so its characters are
    /// checked here, before anything else sees it.
    fn from_str(text: &str) -> Result<Self, SessionKeyError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [prefix, user, role] = parts[..] else {
            return Err(SessionKeyError::Parts { parts: parts.len() });
        };
        if prefix != "user" {
            return Err(SessionKeyError::Prefix);
        }
        if user.is_empty() {
            return Err(SessionKeyError::NoUser);
        }
        if role.is_empty() {
            return Err(SessionKeyError::NoRole);
        }
        let user_id = user
            .parse()
            .map_err(|error| SessionKeyError::User(problem(&error)))?;
        let role = role
            .parse()
            .map_err(|error| SessionKeyError::Role(problem(&error)))?;
        Ok(Self(AgentIdentity { user_id, role }))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user:{}:{}", self.0.user_id, self.0.role)
    }
}

/// What is wrong, without the kernel's name for the field.
pub(crate) fn problem(error: &stationmaster_kernel::Error) -> String {
    error
        .problems
        .first()
        .map_or_else(|| error.message.clone(), |first| first.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_a_user_and_a_role() {
        for text in [
            "user:u1:agent",
            "user:6f1c-22:school_finder-2",
            "user:a b@c:A",
        ] {
            let key: SessionKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
        }
        let key: SessionKey = "user:u1:jarvis".parse().unwrap();
        assert_eq!(key.agent().user_id.as_str(), "u1");
        assert_eq!(key.agent().role.as_str(), "jarvis");
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let long = format!("user:u:{}", "r".repeat(65));
        for (text, reason) in [
            ("", "this has 1"),
            ("user", "this has 1"),
            ("user:u1", "this has 2"),
            ("user:u1:agent:main", "this has 4"),
            ("agent:u1:agent", "must begin with \"user:\""),
            ("User:u1:agent", "must begin with \"user:\""),
            ("user::agent", "the user id in the middle is empty"),
            ("user:u1:", "the role at the end is empty"),
            ("user:u\n1:agent", "the user id must be 1 to 255 characters"),
            (
                "user:u1:../../outside",
                "the role must start with a letter or digit",
            ),
            ("user:u1:_x", "the role must start with a letter or digit"),
            ("user:u1:a.b", "the role must start with a letter or digit"),
            (&long, "the role must start with a letter or digit"),
        ] {
            let error = text.parse::<SessionKey>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
