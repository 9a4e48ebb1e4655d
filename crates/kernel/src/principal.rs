//! Who is asking, and what they may do.

use crate::event::ActorKind;
use crate::{Error, Handle, Result, TenantId};

/// The one answer that every kind of credential gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `None`: not bound to a tenant (operators and internal services see all).
    pub tenant: Option<TenantId>,
    /// Who, for the record: `agent:writer`, `operator`, `internal`.
    pub subject: String,
    pub role: Role,
    /// The request that this caller makes, for the record.
    pub request: Option<String>,
}

/// What kind of caller this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Acts as exactly one agent of one tenant.
    Agent(Handle),
    /// A person, or a program a person trusts like themselves.
    Operator,
    /// A service of the installation, such as a stand-alone dispatcher.
    Internal,
    /// The installation itself: its jobs.
    System,
}

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Work within the tenant: tasks, messages, documents.
    Work,
    /// Take notifications out of the queue of any tenant, and settle them.
    Dispatch,
    /// Decide what an agent asked for.
    Decide,
    /// Summarise the day of every tenant.
    SummariseAll,
}

impl Principal {
    #[must_use]
    pub fn agent(tenant: TenantId, handle: Handle) -> Self {
        Self {
            tenant: Some(tenant),
            subject: format!("agent:{handle}"),
            role: Role::Agent(handle),
            request: None,
        }
    }

    #[must_use]
    pub fn operator(subject: impl Into<String>) -> Self {
        Self {
            tenant: None,
            subject: subject.into(),
            role: Role::Operator,
            request: None,
        }
    }

    #[must_use]
    pub fn internal() -> Self {
        Self {
            tenant: None,
            subject: "internal".to_owned(),
            role: Role::Internal,
            request: None,
        }
    }

    #[must_use]
    pub fn system() -> Self {
        Self {
            tenant: None,
            subject: "system".to_owned(),
            role: Role::System,
            request: None,
        }
    }

    /// This caller, bound to one tenant: what an unbound caller uses to work there.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden) when the caller belongs to another tenant.
    pub fn within(&self, tenant: TenantId) -> Result<Self> {
        match &self.tenant {
            Some(own) if *own != tenant => Err(Error::forbidden(
                "forbidden",
                "the credential belongs to another user_id",
            )),
            _ => Ok(Self {
                tenant: Some(tenant),
                ..self.clone()
            }),
        }
    }

    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden) when the caller lacks the right.
    pub fn require(&self, right: Right) -> Result<()> {
        let allowed = match (&self.role, right) {
            (Role::Operator | Role::System, _)
            | (Role::Agent(_) | Role::Internal, Right::Work)
            | (Role::Internal, Right::Dispatch | Right::Decide | Right::SummariseAll) => true,
            (Role::Agent(_), Right::Dispatch | Right::Decide | Right::SummariseAll) => false,
        };
        if allowed {
            return Ok(());
        }
        Err(Error::forbidden(
            "forbidden",
            match right {
                Right::Work => "this credential may not work in this tenant",
                Right::Dispatch => "only a dispatcher may take or settle notifications",
                Right::Decide => "an agent may not decide a request; ask an operator",
                Right::SummariseAll => "an agent may summarise only its own tenant",
            },
        ))
    }

    /// Refuses everybody but operators.
    ///
    /// # Errors
    /// [`Kind::Forbidden`](crate::Kind::Forbidden), naming what was asked for.
    pub fn operate(&self, what: &str) -> Result<()> {
        if matches!(self.role, Role::Operator | Role::System) {
            return Ok(());
        }
        Err(
            Error::forbidden("forbidden", format!("only an operator may {what}"))
                .with_detail("requiredRole", "OPERATOR"),
        )
    }

    /// The tenant that this caller's work belongs to.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when the caller is bound to none and named none.
    pub fn tenant(&self) -> Result<&TenantId> {
        self.tenant.as_ref().ok_or_else(|| {
            Error::invalid(
                "user_id",
                "is required with a credential that is bound to no tenant",
            )
        })
    }

    /// The agent that speaks, if an agent does.
    #[must_use]
    pub fn handle(&self) -> Option<&Handle> {
        match &self.role {
            Role::Agent(handle) => Some(handle),
            Role::Operator | Role::Internal | Role::System => None,
        }
    }

    /// What kind of caller this is, for the record.
    #[must_use]
    pub fn kind(&self) -> ActorKind {
        match self.role {
            Role::Agent(_) => ActorKind::Agent,
            Role::Operator => ActorKind::Human,
            Role::Internal | Role::System => ActorKind::System,
        }
    }

    /// Whether a person is speaking.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.role == Role::Operator
    }

    /// Whether rows of `tenant` exist for this caller.
    #[must_use]
    pub fn sees(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }
}
