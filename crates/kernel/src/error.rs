//! The one error type of the kernel: its kind says what the caller can do about it.

use std::time::Duration;

use crate::Object;

/// What the kernel and the store answer with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A refusal or a fault, with a stable code for programs, a sentence for people and, for faults,
/// the cause for the log.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    /// Stable, lower snake case: `task_not_found`, `invalid_request`, …
    pub code: &'static str,
    /// Fit to show to whoever asked; never holds internals or secrets.
    pub message: String,
    /// Every problem of the request, by field, when `kind` is [`Kind::Invalid`].
    pub problems: Vec<Problem>,
    /// What else a program may want to know, in the contract's own words.
    pub details: Option<Box<Object>>,
    #[source]
    pub cause: Option<Cause>,
}

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does not exist, or belongs to another tenant; the two look alike.
    NotFound,
    /// The state of things forbids it; asking again unchanged does not help.
    Conflict,
    /// The request itself is wrong.
    Invalid,
    /// The caller is known and may not do this.
    Forbidden,
    /// The caller is not known.
    Unauthenticated,
    /// It would cost more than is left.
    OverBudget,
    /// It may succeed when tried again after the given time.
    Unavailable { retry_after: Duration },
    /// Our fault; the cause is in the log.
    Internal,
}

/// One thing that is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name, or a path such as `items[2].label`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Error {
    fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            problems: Vec::new(),
            details: None,
            cause: None,
        }
    }

    /// `noun` as in "task": its code becomes `task_not_found`.
    #[must_use]
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    #[must_use]
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, code, message)
    }

    /// It would cost more than is left.
    #[must_use]
    pub fn over_budget(message: impl Into<String>) -> Self {
        Self::new(Kind::OverBudget, "budget_exceeded", message)
    }

    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, "unauthorized", message)
    }

    #[must_use]
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Kind::Unavailable { retry_after }, "unavailable", message)
    }

    /// One field is wrong.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_all(vec![Problem {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// Several fields are wrong; the sentence names the first. `problems` is not empty.
    #[must_use]
    pub fn invalid_all(problems: Vec<Problem>) -> Self {
        let message = problems.first().map_or_else(String::new, |p| {
            if p.field.is_empty() {
                p.message.clone()
            } else {
                format!("{}: {}", p.field, p.message)
            }
        });
        Self {
            problems,
            ..Self::new(Kind::Invalid, "invalid_request", message)
        }
    }

    /// Puts `found` before the problems that a rule had with the same request, so that one answer
    /// names all. Of a member that was found wrong the rule saw only a stand-in, so what it says
    /// of that counts for nothing; so does any refusal but [`Kind::Invalid`].
    #[must_use]
    pub fn joined(self, found: Vec<Problem>) -> Self {
        if found.is_empty() || !self.is_refusal() {
            return self;
        }
        let covers = |known: &Problem, field: &str| {
            let rest = field.strip_prefix(known.field.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let (problems, details) = match self.kind {
            Kind::Invalid => (self.problems, self.details),
            _ => (Vec::new(), None),
        };
        let mut all = found;
        let known = all.len();
        for problem in problems {
            if !all[..known].iter().any(|it| covers(it, &problem.field)) {
                all.push(problem);
            }
        }
        Self {
            details,
            ..Self::invalid_all(all)
        }
    }

    /// A fault of ours: callers see a plain sentence, the log gets the cause.
    #[must_use]
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                Kind::Internal,
                "internal",
                "the server could not do this; its log says why",
            )
        }
    }

    /// Whether a rule refused, as against the store or the program failing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.kind {
            Kind::NotFound
            | Kind::Conflict
            | Kind::Invalid
            | Kind::Forbidden
            | Kind::Unauthenticated
            | Kind::OverBudget => true,
            Kind::Unavailable { .. } | Kind::Internal => false,
        }
    }

    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Adds one thing that a program may want to know.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

/// Collects the problems of a request, so that one answer names them all.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as one error; there is at least one.
    #[must_use]
    pub fn into_error(self) -> Error {
        Error::invalid_all(self.0)
    }

    /// # Errors
    /// [`Kind::Invalid`] with all of them, if there is any.
    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_all(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(field: &str) -> Problem {
        Problem {
            field: field.to_owned(),
            message: "is wrong".to_owned(),
        }
    }

    #[test]
    fn what_a_rule_finds_stands_beside_what_was_found_before() {
        let rule = Error::invalid_all(
            ["title", "plan", "plan.steps[1]", "planet"]
                .map(problem)
                .into(),
        );
        let all = rule.joined(vec![problem("plan"), problem("type")]);
        let fields: Vec<_> = all.problems.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["plan", "type", "title", "planet"]);

        let refused = Error::forbidden("forbidden", "no").joined(vec![problem("type")]);
        assert_eq!((refused.kind, refused.problems.len()), (Kind::Invalid, 1));
        let fault = Error::internal("broken").joined(vec![problem("type")]);
        assert_eq!(fault.kind, Kind::Internal);
    }
}
