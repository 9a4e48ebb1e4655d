//! Members that several requests have, read and checked in this contract's terms (§1).

use std::time::Duration;

use serde_json::Value;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::{Error, MicroUsd, Object, Timestamp};

use super::request::Query;

/// The names of all kinds of tasks, for a message.
pub(super) fn kinds() -> String {
    TaskKind::ALL.map(TaskKind::as_str).join(", ")
}

/// An amount in US dollars.
pub(super) fn money(fields: &mut Fields, name: &str) -> Option<MicroUsd> {
    let value = fields.value(name)?;
    let amount = value.as_f64().and_then(MicroUsd::from_dollars);
    if amount.is_none() {
        fields.problem(name, "must be an amount in US dollars, 0 or more");
    }
    amount
}

/// A whole number of 0 or more.
pub(super) fn count(fields: &mut Fields, name: &str) -> Option<u32> {
    let number = fields.integer(name)?;
    let count = u32::try_from(number).ok();
    if count.is_none() {
        fields.problem(name, "must be a whole number of 0 or more");
    }
    count
}

/// A large whole number of 0 or more.
pub(super) fn large_count(fields: &mut Fields, name: &str) -> Option<u64> {
    let number = fields.integer(name)?;
    let count = u64::try_from(number).ok();
    if count.is_none() {
        fields.problem(name, "must be a whole number of 0 or more");
    }
    count
}

/// A moment as RFC 3339 writes it.
pub(super) fn instant(fields: &mut Fields, name: &str) -> Option<Timestamp> {
    let text = fields.string(name)?;
    let instant = text.parse::<jiff::Timestamp>().ok();
    if instant.is_none() {
        fields.problem(name, "must be a time such as 2026-11-21T09:30:00Z");
    }
    instant.map(|instant| Timestamp(instant.as_millisecond()))
}

/// What stands for the time at which a request arrives. A request that is sent again with the same key is the
/// same only if it does not name a time of its own.
const NOW: &str = "now";

/// A time that must be there; `None` is when the request arrives.
pub(super) fn required_instant(fields: &mut Fields, name: &str) -> Option<Timestamp> {
    let given = fields.value(name);
    let text = given.as_ref().and_then(Value::as_str);
    let instant = match text {
        Some(NOW) => return None,
        Some(text) => text.parse::<jiff::Timestamp>().ok(),
        None => None,
    };
    if instant.is_none() {
        let is_there = given.is_some_and(|it| !it.is_null());
        let what = if is_there { "must be" } else { "is required:" };
        fields.problem(
            name,
            format!("{what} a time such as 2026-11-21T09:30:00Z, or now"),
        );
    }
    instant.map(|instant| Timestamp(instant.as_millisecond()))
}

/// The tenant that a request is about: named in its body, else in its query.
pub(super) fn tenant(fields: &mut Fields, query: &Query) -> Option<String> {
    fields.string("tenantId").or_else(|| query.text("tenantId"))
}

/// A word that must be there and be one of `words`.
pub(super) fn required_word<T>(
    fields: &mut Fields,
    name: &str,
    parse: fn(&str) -> Option<T>,
    words: &str,
) -> Option<T> {
    match fields.value(name) {
        None => {
            fields.problem(name, format!("is required: one of {words}"));
            None
        }
        Some(Value::String(text)) => {
            let word = parse(&text);
            if word.is_none() {
                fields.problem(name, format!("{text:?} is not one of {words}"));
            }
            word
        }
        Some(_) => {
            fields.problem(name, format!("must be a string: one of {words}"));
            None
        }
    }
}

/// A span of time such as `24h`, `30m`, `7d` or `90s`.
pub(super) fn duration(fields: &mut Fields, name: &str) -> Option<Duration> {
    let text = fields.string(name)?;
    let duration = parse_duration(&text);
    if duration.is_none() {
        fields.problem(name, "must be a span of time such as 90s, 30m, 24h or 7d");
    }
    duration
}

/// The span of time that `24h`, `30m`, `7d` or `90s` means; no span is empty or over ten years.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 10 * 366 * 86_400;
    let text = text.trim();
    let unit = text.chars().last()?;
    let each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    let seconds = number.checked_mul(each)?;
    (1..=LONGEST)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// A list of texts, none of which is empty.
pub(super) fn strings(fields: &mut Fields, name: &str, most: usize) -> Option<Vec<String>> {
    let values = fields.array(name)?;
    if values.len() > most {
        fields.problem(name, format!("must hold at most {most}"));
        return None;
    }
    let mut found = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        match value {
            Value::String(text) if !text.trim().is_empty() => found.push(text),
            _ => fields.problem(
                &format!("{name}[{index}]"),
                "must be a text that is not empty",
            ),
        }
    }
    Some(found)
}

/// What a request without this member is refused with.
pub(super) fn missing(name: &str) -> Error {
    Error::invalid(name, "is required")
}

/// A list of words, each of which must be one of `words`.
pub(super) fn words<T>(
    fields: &mut Fields,
    name: &str,
    parse: fn(&str) -> Option<T>,
    words: &str,
) -> Option<Vec<T>> {
    let texts = strings(fields, name, 100)?;
    let mut found = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match parse(text) {
            Some(word) => found.push(word),
            None => fields.problem(
                &format!("{name}[{index}]"),
                format!("{text:?} is not one of {words}"),
            ),
        }
    }
    Some(found)
}

/// An object, of which what is `null` counts as absent.
pub(super) fn metadata(fields: &mut Fields) -> Option<Object> {
    fields.object("metadata")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_as_people_write_them() {
        let cases = [
            ("24h", Some(86_400)),
            ("30m", Some(1800)),
            ("7d", Some(604_800)),
            ("90s", Some(90)),
            ("0s", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("é", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(
                parse_duration(text).map(|span| span.as_secs()),
                seconds,
                "{text}"
            );
        }
    }
}
