//! Work plans and other text that comes from the command line, a file or standard input (§14).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

/// The largest file that goes into a request (§1): 1 MiB inline.
pub(crate) const LARGEST_INLINE: u64 = 1024 * 1024;

/// The steps of a plan: one a line, where the two characters `\n` end a line too; markers such as `1.`,
/// `2)`, `-` and `*` are taken away, blank lines dropped.
pub(crate) fn bullets(text: &str) -> Result<Vec<String>, Failure> {
    let text = text.replace("\\n", "\n");
    let steps: Vec<String> = text
        .lines()
        .map(|line| unmarked(line).to_owned())
        .filter(|step| !step.is_empty())
        .collect();
    if (3..=6).contains(&steps.len()) {
        return Ok(steps);
    }
    let number = steps.len();
    Err(Failure::usage(format!(
        "a plan has 3 to 6 steps, one a line; this one has {number}"
    ))
    .hint(r"write it like: --plan 'Look at it\nDo it\nCheck it', or --plan-file FILE"))
}

/// A line without the marker it begins with.
fn unmarked(line: &str) -> &str {
    let line = line.trim();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = match line.get(digits..) {
        Some(rest) if digits > 0 && rest.starts_with(['.', ')']) => rest.get(1..),
        _ if line.starts_with(['-', '*']) => line.get(1..),
        _ => None,
    };
    match rest {
        // "1.5 hours" and "-v" are text; "1." and "-" alone are markers without any.
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest.trim(),
        _ => line,
    }
}

/// A text given on the command line, where `-` means standard input.
pub(crate) fn text_or_stdin(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    text_of(
        read_bounded(std::io::stdin().lock(), "standard input")?,
        "standard input",
    )
}

/// A file's text, where `-` means standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let shown = path.display().to_string();
    text_of(read_bytes(path)?, &shown)
}

/// A file's bytes, where `-` means standard input.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        return read_bounded(std::io::stdin().lock(), "standard input");
    }
    let shown = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    read_bounded(file, &shown)
}

fn read_bounded(source: impl Read, shown: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    source
        .take(LARGEST_INLINE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    if bytes.len() as u64 > LARGEST_INLINE {
        return Err(Failure::usage(format!("{shown} is larger than 1 MiB"))
            .hint("put it somewhere the crew can reach, and give its address with --url"));
    }
    Ok(bytes)
}

pub(crate) fn text_of(bytes: Vec<u8>, shown: &str) -> Result<String, Failure> {
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Failure::usage(format!("{shown} is not text (UTF-8)"))
            .hint("put it somewhere the crew can reach, and give its address with --url")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, steps: &[&str]) {
        assert_eq!(bullets(text).unwrap(), steps, "{text:?}");
    }

    #[test]
    fn plans_are_split_at_real_and_written_line_ends() {
        check("a\nb\nc", &["a", "b", "c"]);
        check(
            r"1. Research\n2. Write\n3. Review",
            &["Research", "Write", "Review"],
        );
        check("1) a\r\n\r\n- b\n* c\n  10.  d", &["a", "b", "c", "d"]);
    }

    #[test]
    fn what_only_looks_like_a_marker_stays() {
        check(
            "1.5 hours of reading\n-v is the flag\n*bold* text",
            &["1.5 hours of reading", "-v is the flag", "*bold* text"],
        );
        check("2 files\n3\n- -", &["2 files", "3", "-"]);
    }

    #[test]
    fn a_plan_has_three_to_six_steps() {
        for (text, number) in [
            ("a\nb", 2),
            (r"a\nb\nc\nd\ne\nf\ng", 7),
            ("", 0),
            ("-\n1.\n*", 0),
        ] {
            let failure = bullets(text).unwrap_err();
            assert!(
                failure.message.contains(&format!("has {number}")),
                "{}",
                failure.message
            );
        }
    }
}
