//! `limit` and `cursor` of a list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::page::Order;
use stationmaster_kernel::{Page, Position};

/// The text of a cursor: opaque to clients.
#[must_use]
pub fn cursor(position: Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("p{}", position.0))
}

fn position(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let number = std::str::from_utf8(&bytes).ok()?.strip_prefix('p')?;
    // Only what `cursor` gives out: no sign, no leading zero.
    let parsed: i64 = number.parse().ok()?;
    (parsed >= 0 && parsed.to_string() == number).then_some(Position(parsed))
}

/// The page that a list's query asks for: `limit` below 1 is raised to 1, above `most` cut to it.
pub fn page(
    problems: &mut Problems,
    limit: Option<&str>,
    after: Option<&str>,
    order: Order,
    default: u32,
    most: u32,
) -> Page {
    let limit = match limit.filter(|text| !text.is_empty()).map(clamped) {
        None => default,
        Some(Some(number)) => u32::try_from(number.clamp(1, i64::from(most))).unwrap_or(most),
        Some(None) => {
            problems.add("limit", "must be a whole number");
            default
        }
    };
    let after = after.filter(|text| !text.is_empty()).and_then(|text| {
        let found = position(text);
        if found.is_none() {
            problems.add("cursor", "is not a cursor of this list");
        }
        found
    });
    Page {
        limit,
        after,
        order,
    }
}

/// A whole number, those too large for a machine word cut to its ends; `None` for anything else.
#[must_use]
pub fn clamped(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Option<u32> {
        let mut problems = Problems::default();
        let page = page(&mut problems, Some(text), None, Order::NewestFirst, 50, 100);
        problems.into_result().is_ok().then_some(page.limit)
    }

    #[test]
    fn limits_are_clamped_and_words_refused() {
        let cases = [
            ("7", Some(7)),
            ("0", Some(1)),
            ("-3", Some(1)),
            ("101", Some(100)),
            ("", Some(50)),
        ];
        for (text, expected) in cases {
            assert_eq!(limit(text), expected, "{text:?}");
        }
        assert_eq!(limit("99999999999999999999"), Some(100));
        for text in ["ten", "1.5", "1e3", " 1", "-"] {
            assert_eq!(limit(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_cursor_comes_back_and_anything_else_does_not() {
        assert_eq!(position(&cursor(Position(42))), Some(Position(42)));
        for text in ["42", "cDQ", "cC0x", "cDAx", "é", "cHA"] {
            assert!(position(text).is_none_or(|p| cursor(p) == text), "{text:?}");
        }
    }
}
