//! What went wrong, in words that help, and the exit code that says it to scripts (§14).

use serde_json::Value;

use crate::call::Purpose;

/// How the command ended. The codes are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Other = 1,
    /// The command line, the configuration or a local file is wrong.
    Usage = 2,
    Unauthorized = 3,
    Forbidden = 4,
    NotFound = 5,
    /// 409 or 422: the state of things forbids it.
    Conflict = 6,
    RateLimited = 7,
    /// No answer: unreachable or too late.
    Network = 8,
    Server = 9,
    /// A decision is still to be made: `NEEDS_APPROVAL`, or an approval that is pending.
    Undecided = 10,
    /// The answer is no.
    Refused = 11,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The exit code of a status that is not a success.
    fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 | 422 => Self::Conflict,
            429 => Self::RateLimited,
            500.. => Self::Server,
            _ => Self::Other,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub exit: Exit,
    /// What went wrong, without a full stop. Empty when there is nothing to say.
    pub message: String,
    /// One line each: every fault the server found.
    pub details: Vec<String>,
    /// What to do about it, one line each.
    pub hints: Vec<String>,
    /// `error.code` of the API, when it was the API that refused.
    pub code: Option<Box<str>>,
    /// The API's reply as it came, for `--json`.
    pub body: Option<Box<str>>,
    /// The time was up; what was asked for may have been done all the same.
    pub is_late: bool,
}

impl Failure {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            code: None,
            body: None,
            is_late: false,
        }
    }

    /// The command line, the configuration or a local file is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Exit::Other, message)
    }

    /// There is nothing to show who we are.
    pub(crate) fn no_token(which: &str) -> Self {
        Self::new(Exit::Unauthorized, format!("there is no token: {which}"))
    }

    /// No answer came.
    pub(crate) fn network(message: impl Into<String>) -> Self {
        Self::new(Exit::Network, message)
    }

    /// There is no such thing.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// Who reads our output is gone; that is no error, and nobody is left to tell.
    pub(crate) fn reader_gone() -> Self {
        Self::new(Exit::Done, "")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The API's refusal (§1.2), with a hint where the code or status calls for one.
    pub(crate) fn refused(status: u16, text: &str, body: &Value) -> Self {
        let error = &body["error"];
        let exit = Exit::of_status(status);
        let Some(code) = error["code"].as_str() else {
            return Self::strange(status, text);
        };
        let message = error["message"].as_str().unwrap_or("no reason given");
        let mut failure = Self::new(exit, format!("{code}: {message}"));
        failure.code = Some(code.into());
        failure.body = Some(text.into());
        let faults = error["details"]["errors"].as_array();
        failure.details = faults.into_iter().flatten().map(fault).collect();
        // A single fault may be the message itself; once is enough.
        failure.details.retain(|detail| detail != message);
        failure.details.extend(particulars(&error["details"]));
        if let Some(request) = error["requestId"].as_str() {
            failure.details.push(format!("requestId: {request}"));
        }
        failure
            .hints
            .extend(hint_for(status, code).map(str::to_owned));
        failure
    }

    /// A reply that is not the API's.
    fn strange(status: u16, text: &str) -> Self {
        const SHOWN: usize = 200;
        let start: String = text.trim().chars().take(SHOWN).collect();
        let what = if start.is_empty() {
            "with nothing".to_owned()
        } else {
            format!("with what is not this API's: {start}")
        };
        let message = format!("the server answered {status} {what}");
        Self::new(Exit::of_status(status), message)
            .hint("is MC_API_URL the address of a Mission Control server, without /api/v1? see: mc doctor")
    }
}

impl Failure {
    /// Adds the line that asks for what was refused, ready to be pasted.
    pub(crate) fn asking_for_approval(self, purpose: Option<&Purpose>) -> Self {
        let body: Value = self
            .body
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let line = approval_line(&body["error"]["details"], purpose);
        self.hint(format!("ask for approval: {line}"))
    }
}

/// The command that asks for approval of what a decision (§8.1) holds back.
pub(crate) fn approval_line(decision: &Value, purpose: Option<&Purpose>) -> String {
    let text = |value: &Value, or: &str| value.as_str().unwrap_or(or).to_owned();
    let required = &decision["approvalRequired"];
    let risk = match decision["riskLevel"].as_str() {
        Some("RED") => "RED",
        _ => "YELLOW",
    };
    let mut line = format!(
        "mc approval request --action-type {} --risk {risk} --summary {} --justification {}",
        quoted(&text(&required["type"], "TOOL_EXEC")),
        quoted(purpose.map_or("WHAT YOU WANT TO DO", |purpose| &purpose.summary)),
        quoted(&text(
            &required["suggestedJustification"],
            "WHY IT IS NEEDED"
        )),
    );
    if let Some(task) = purpose.and_then(|purpose| purpose.task.as_deref()) {
        line.push_str(" --task ");
        line.push_str(&quoted(task));
    }
    let payload = purpose.and_then(|purpose| purpose.payload.as_ref());
    if let Some(call) = decision["toolCallId"].as_str() {
        line.push_str(" --tool-call ");
        line.push_str(&quoted(call));
    } else if let Some(payload) = payload {
        line.push_str(" --payload ");
        line.push_str(&quoted(&payload.to_string()));
    }
    if risk == "RED" {
        line.push_str(" --rollback 'HOW TO UNDO IT'");
    }
    line
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "_-./:".contains(it);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn fault(fault: &Value) -> String {
    match (fault["field"].as_str(), fault["message"].as_str()) {
        (Some(field), Some(message)) => format!("{field}: {message}"),
        _ => fault
            .as_str()
            .map_or_else(|| fault.to_string(), str::to_owned),
    }
}

/// The members of `details` that say what would have been right.
fn particulars(details: &Value) -> Vec<String> {
    const SHOWN: [&str; 5] = [
        "violations",
        "allowedTransitions",
        "assigneeIds",
        "requiredRole",
        "toolCallId",
    ];
    SHOWN
        .iter()
        .filter_map(|name| {
            let text = match &details[name] {
                Value::Array(items) if !items.is_empty() => {
                    let words: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                    words.join(", ")
                }
                Value::String(text) => text.clone(),
                _ => return None,
            };
            Some(format!("{name}: {text}"))
        })
        .collect()
}

/// The next command to try.
fn hint_for(status: u16, code: &str) -> Option<&'static str> {
    Some(match code {
        "AGENT_MISMATCH" => "MC_AGENT_ID is not the agent this token was made for; see: mc doctor",
        "AGENT_PAUSED" | "AGENT_DRAINED" | "AGENT_QUARANTINED" => {
            "see why: mc agent status; an operator lifts it: mc agent resume ID"
        }
        "OPERATOR_MODE" => "the whole crew is held; see: mc operator mode",
        "POLICY_DENIED" => "no approval lifts this; see the rules: mc policy show",
        "ASSIGNMENT_CONFLICT" => "take another one: mc task next",
        "DEPENDENCIES_NOT_DONE" => "see what it waits for: mc task get ID",
        "BUDGET_EXCEEDED" => {
            "ask for more: mc approval request --action-type BUDGET_OVERRIDE --risk YELLOW --summary … --justification …"
        }
        "IDEMPOTENCY_CONFLICT" => "use another --idempotency-key, or leave it out to get a new one",
        _ => match status {
            401 => {
                "an operator makes a new token: mc agent token ID --save; the operator's own is MC_ADMIN_TOKEN of the server"
            }
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_status_has_the_exit_code_of_the_contract() {
        for (status, exit) in [
            (400, 1),
            (401, 3),
            (403, 4),
            (404, 5),
            (405, 1),
            (409, 6),
            (413, 1),
            (415, 1),
            (422, 6),
            (429, 7),
            (500, 9),
            (503, 9),
            (599, 9),
        ] {
            assert_eq!(Exit::of_status(status).code(), exit, "{status}");
        }
    }

    #[test]
    fn the_line_that_asks_for_approval_can_be_pasted() {
        let decision = json!({"riskLevel": "RED",
            "approvalRequired": {"type": "TOOL_EXEC", "suggestedJustification": "It's $HOME"}});
        let purpose = Purpose {
            summary: "exec: git push".to_owned(),
            task: Some("task_1".to_owned()),
            payload: Some(json!({"tool": "exec"})),
        };
        assert_eq!(
            approval_line(&decision, Some(&purpose)),
            r#"mc approval request --action-type TOOL_EXEC --risk RED --summary 'exec: git push' --justification 'It'\''s $HOME' --task task_1 --payload '{"tool":"exec"}' --rollback 'HOW TO UNDO IT'"#
        );
    }

    #[test]
    fn every_fault_of_a_request_is_a_line() {
        let body = json!({"error": {"code": "VALIDATION_ERROR", "message": "two things", "requestId": "req_1",
            "details": {"errors": [{"field": "a", "message": "is missing"}, {"field": "b", "message": "is long"}]}}});
        let failure = Failure::refused(400, "", &body);
        assert_eq!(failure.message, "VALIDATION_ERROR: two things");
        assert_eq!(
            failure.details,
            ["a: is missing", "b: is long", "requestId: req_1"]
        );
    }
}
