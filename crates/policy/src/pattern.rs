//! Patterns with wildcards: whether a text fits one, and whether two could mean the same.
//!
//! An allowlist asks the first question and a blocklist the second: what the shell will make of `/e?c` is
//! not known, so it is as bad as the worst that it can become.

/// The most steps that comparing two patterns may take. Nothing that people write comes near it; what
/// needs more counts as a match of a blocklist and as none of an allowlist.
const MOST_STEPS: usize = 10_000;

/// Whether a text fits a pattern in which `*` is any text and `?` any one byte.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((star_at, star_seen)) = star else {
                    return false;
                };
                star = Some((star_at, star_seen + 1));
                at = star_at + 1;
                seen = star_seen + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Whether some text fits both patterns. In the second, written by a shell, `[…]` is any one byte too,
/// and a wildcard at its start stands for no leading dot.
pub(crate) fn may_meet(pattern: &str, written: &str) -> bool {
    let first_is_wild = written.starts_with(['*', '?', '[']);
    if first_is_wild && pattern.starts_with('.') {
        return false;
    }
    if !has_wildcard(written) {
        return fits(pattern, written);
    }
    let written = without_classes(written);
    let mut steps = MOST_STEPS;
    meet(pattern.as_bytes(), &written, &mut steps)
}

pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn without_classes(written: &str) -> Vec<u8> {
    let bytes = written.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let class = (bytes[at] == b'[')
            .then(|| bytes.get(at + 2..)?.iter().position(|byte| *byte == b']'))
            .flatten();
        match class {
            Some(length) => {
                out.push(b'?');
                at += length + 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn meet(left: &[u8], right: &[u8], steps: &mut usize) -> bool {
    let Some(rest) = steps.checked_sub(1) else {
        return true;
    };
    *steps = rest;
    match (left.split_first(), right.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            meet(rest, right, steps) || (!right.is_empty() && meet(left, &right[1..], steps))
        }
        (_, Some((b'*', rest))) => {
            meet(left, rest, steps) || (!left.is_empty() && meet(&left[1..], right, steps))
        }
        (Some((first, left)), Some((second, right))) => {
            (first == second || *first == b'?' || *second == b'?') && meet(left, right, steps)
        }
        _ => false,
    }
}

/// Whether the segments of a path fit those of a pattern, `**` being any number of them. `same` says
/// whether one segment fits.
pub(crate) fn segments_fit(
    pattern: &[String],
    path: &[&str],
    same: &dyn Fn(&str, &str) -> bool,
) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            rest.is_empty() || (0..=path.len()).any(|skip| segments_fit(rest, &path[skip..], same))
        }
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(segment, path)| same(first, segment) && segments_fit(rest, path, same)),
    }
}

/// What `{a,b}` stands for. Nested braces stay as they are.
pub(crate) fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let Some((inner, after)) = rest.split_once('}') else {
        return vec![pattern.to_owned()];
    };
    let after = alternatives(after);
    inner
        .split(',')
        .flat_map(|choice| {
            after
                .iter()
                .map(move |after| format!("{before}{choice}{after}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_a_pattern_or_does_not() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            (".env*", ".env.local", true),
            (".env*", "x.env", false),
            ("?", "", false),
            ("*a*b*", "xxaxxb", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn two_patterns_meet_when_one_text_could_be_both() {
        for (pattern, written, expected) in [
            ("rm", "r?", true),
            ("rm", "r[a-z]", true),
            ("rm", "l*", false),
            (".env*", ".e*", true),
            (".env*", "*", false),
            ("mc-*", "m*9", true),
            ("etc", "e[s-u]c", true),
            ("etc", "e[]x]c", true),
        ] {
            assert_eq!(may_meet(pattern, written), expected, "{pattern} {written}");
        }
    }
}
