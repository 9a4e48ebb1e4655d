//! How the words of a command line are read: enums in any case (§1.1), money, durations, times, ids.

use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value};

pub(crate) const TASK_STATUSES: &[&str] = &[
    "INBOX",
    "ASSIGNED",
    "IN_PROGRESS",
    "REVIEW",
    "NEEDS_APPROVAL",
    "BLOCKED",
    "DONE",
    "CANCELED",
];
pub(crate) const TASK_TYPES: &[&str] = &[
    "CONTENT",
    "SOCIAL",
    "EMAIL_MARKETING",
    "CUSTOMER_RESEARCH",
    "SEO_RESEARCH",
    "ENGINEERING",
    "DOCS",
    "OPS",
];
pub(crate) const AGENT_ROLES: &[&str] = &["INTERN", "SPECIALIST", "LEAD"];
pub(crate) const AGENT_STATUSES: &[&str] =
    &["ACTIVE", "PAUSED", "DRAINED", "QUARANTINED", "OFFLINE"];
pub(crate) const HEALTH: &[&str] = &["HEALTHY", "BUSY", "IDLE", "DEGRADED", "ERROR"];
pub(crate) const MESSAGE_TYPES: &[&str] = &["COMMENT", "PROGRESS", "ARTIFACT", "REVIEW"];
pub(crate) const ARTIFACT_TYPES: &[&str] = &["DELIVERABLE", "EVIDENCE", "CHECKLIST", "REPORT"];
pub(crate) const RISKS: &[&str] = &["GREEN", "YELLOW", "RED"];
pub(crate) const APPROVAL_RISKS: &[&str] = &["YELLOW", "RED"];
pub(crate) const POLICY_ACTIONS: &[&str] =
    &["TOOL_CALL", "FILE_WRITE", "NETWORK", "SPAWN", "TRANSITION"];
pub(crate) const APPROVAL_ACTIONS: &[&str] =
    &["TOOL_EXEC", "BUDGET_OVERRIDE", "STATE_TRANSITION", "SPAWN"];
pub(crate) const APPROVAL_STATUSES: &[&str] =
    &["PENDING", "APPROVED", "DENIED", "EXPIRED", "CANCELED"];
pub(crate) const RUN_STATUSES: &[&str] = &["RUNNING", "COMPLETED", "FAILED", "TIMEOUT"];
pub(crate) const TOOL_CALL_STATUSES: &[&str] =
    &["PENDING", "RUNNING", "SUCCESS", "FAILED", "DENIED"];
pub(crate) const NOTIFICATION_STATUSES: &[&str] =
    &["PENDING", "DELIVERED", "ACKED", "FAILED", "EXPIRED"];
pub(crate) const NOTIFICATION_TYPES: &[&str] = &[
    "MENTION",
    "ASSIGNMENT",
    "APPROVAL_REQUEST",
    "ALERT",
    "DIGEST",
    "APPROVAL_DECIDED",
    "TASK_TRANSITION",
];
pub(crate) const ALERT_SEVERITIES: &[&str] = &["INFO", "WARNING", "ERROR", "CRITICAL"];
pub(crate) const ALERT_STATUSES: &[&str] = &["OPEN", "ACKNOWLEDGED", "RESOLVED", "IGNORED"];
pub(crate) const OPERATOR_MODES: &[&str] = &["NORMAL", "PAUSED", "DRAINING", "QUARANTINED"];
pub(crate) const SCOPES: &[&str] = &["GLOBAL", "AGENT", "TASK_TYPE"];

/// One of these words, in any case and with `-` for `_`; completed by shells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneOf(pub &'static [&'static str]);

impl TypedValueParser for OneOf {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let word = text.trim().to_uppercase().replace('-', "_");
        if self.0.contains(&word.as_str()) {
            return Ok(word);
        }
        let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
        if let Some(argument) = argument {
            error.insert(
                ContextKind::InvalidArg,
                ContextValue::String(argument.to_string()),
            );
        }
        error.insert(ContextKind::InvalidValue, ContextValue::String(text));
        let words = self.0.iter().map(|word| (*word).to_owned()).collect();
        error.insert(ContextKind::ValidValue, ContextValue::Strings(words));
        Err(error)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// US dollars, zero or more.
pub(crate) fn money(text: &str) -> Result<f64, String> {
    match text.trim().trim_start_matches('$').parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount),
        _ => Err("must be an amount of US dollars, such as 0.75".to_owned()),
    }
}

/// 1 to 4, or `critical`, `high`, `normal`, `low`.
pub(crate) fn priority(text: &str) -> Result<u8, String> {
    match text.trim().to_lowercase().as_str() {
        "1" | "critical" => Ok(1),
        "2" | "high" => Ok(2),
        "3" | "normal" => Ok(3),
        "4" | "low" => Ok(4),
        _ => Err("must be 1 (critical), 2 (high), 3 (normal) or 4 (low)".to_owned()),
    }
}

/// `90s`, `30m`, `24h`, `7d`, `500ms`; a bare number is milliseconds, as in `MC_DEFAULT_TIMEOUT`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be like 500ms, 90s, 30m, 24h or 7d".to_owned();
    let text = text.trim();
    let digits = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// A duration as the API reads it: checked, and left as it is written.
pub(crate) fn api_duration(text: &str) -> Result<String, String> {
    let text = text.trim();
    match duration(text) {
        Ok(_) if text.ends_with(['s', 'm', 'h', 'd']) && !text.ends_with("ms") => {
            Ok(text.to_owned())
        }
        _ => Err("must be like 90s, 30m, 24h or 7d".to_owned()),
    }
}

/// A moment: RFC 3339, a day (`2026-12-01`, until its end in UTC), or from now (`24h`, `7d`). Gives RFC 3339.
pub(crate) fn due(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Ok(moment) = moment(text) {
        return Ok(moment);
    }
    if let Ok(day) = text.parse::<Date>()
        && let Ok(end) = day.at(23, 59, 59, 0).to_zoned(TimeZone::UTC)
    {
        return Ok(end.timestamp().to_string());
    }
    let from_now = api_duration(text).and_then(|text| duration(&text));
    from_now
        .ok()
        .and_then(|wait| SignedDuration::try_from(wait).ok())
        .and_then(|wait| crate::print::time::now().checked_add(wait).ok())
        .map(|moment| moment.to_string())
        .ok_or_else(|| "must be like 2026-12-01T17:00:00Z, 2026-12-01, 24h or 7d".to_owned())
}

/// A moment in RFC 3339, given back in UTC.
pub(crate) fn moment(text: &str) -> Result<String, String> {
    match text.trim().parse::<Timestamp>() {
        Ok(moment) => Ok(moment.to_string()),
        Err(_) => Err("must be a time like 2026-12-01T17:00:00Z".to_owned()),
    }
}

/// A day, `2026-12-01`.
pub(crate) fn day(text: &str) -> Result<String, String> {
    match text.trim().parse::<Date>() {
        Ok(day) => Ok(day.to_string()),
        Err(_) => Err("must be a day like 2026-12-01".to_owned()),
    }
}

/// The id of something. What would lead to another route is none.
pub(crate) fn id(text: &str) -> Result<String, String> {
    match text.trim() {
        "" | "." | ".." => Err("must be an id".to_owned()),
        id => Ok(id.to_owned()),
    }
}

/// A JSON object.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("must be a JSON object, such as {\"command\":\"ls\"}".to_owned()),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_milliseconds() {
        let cases = [
            ("30000", Some(30_000)),
            ("500ms", Some(500)),
            ("90s", Some(90_000)),
            ("30m", Some(1_800_000)),
            ("24h", Some(86_400_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("h", None),
            ("1.5h", None),
            ("-1s", None),
            ("1w", None),
            ("99999999999999999999d", None),
            ("9999999999999999d", None),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(
                duration(text).ok(),
                milliseconds.map(Duration::from_millis),
                "{text}"
            );
        }
        assert!(api_duration("30000").is_err(), "the API wants a unit");
        assert!(
            api_duration("30ms").is_err(),
            "and does not know milliseconds"
        );
    }

    #[test]
    fn a_day_is_due_at_its_end() {
        assert_eq!(due("2026-12-01").unwrap(), "2026-12-01T23:59:59Z");
        assert_eq!(
            due("2026-12-01T10:00:00+02:00").unwrap(),
            "2026-12-01T08:00:00Z"
        );
        assert!(due("24h").is_ok());
        assert!(due("tomorrow").is_err());
    }

    #[test]
    fn ids_that_would_lead_elsewhere_are_refused() {
        for text in ["", " ", ".", ".."] {
            assert!(id(text).is_err(), "{text:?}");
        }
        assert_eq!(id("task_1").unwrap(), "task_1");
    }
}
