//! Checks that text from outside must pass before it is kept.

use crate::error::Problems;

/// Refuses what one of the two databases cannot hold, so that both answer alike.
pub fn check(problems: &mut Problems, field: &str, text: &str) {
    if text.contains('\0') {
        problems.add(field, "must not contain the NUL character");
    }
}

/// As [`check`], and refuses text that is empty or all white space.
pub fn check_present(problems: &mut Problems, field: &str, text: &str) {
    if text.trim().is_empty() {
        problems.add(field, "must not be empty");
    }
    check(problems, field, text);
}

/// As [`check`], for text that may be absent.
pub fn check_optional(problems: &mut Problems, field: &str, text: Option<&str>) {
    if let Some(text) = text {
        check(problems, field, text);
    }
}
