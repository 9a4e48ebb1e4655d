//! Patterns with wildcards: whether a text fits one, and whether two could mean the same.
//!
//! An allowlist asks the first question and a blocklist the second: what the shell will make of `/e?c` is
//! not known, so it is as bad as the worst that it can become.

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
    if !has_wildcard(written) {
        return fits(pattern, written);
    }
    let first_is_wild = written.starts_with(['*', '?', '[']);
    if first_is_wild && pattern.starts_with('.') {
        return false;
    }
    let pattern = pattern.as_bytes();
    // Which beginnings of the pattern some text of what was read so far fits.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(pattern, &mut reached);
    for byte in without_classes(written) {
        if byte == b'*' {
            let Some(first) = reached.iter().position(|is_reached| *is_reached) else {
                return false;
            };
            reached[first..].fill(true);
            continue;
        }
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            if *wanted == b'*' {
                next[at] = true;
            } else if *wanted == b'?' || byte == b'?' || *wanted == byte {
                next[at + 1] = true;
            }
        }
        skip_stars(pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// A star may stand for nothing.
fn skip_stars(pattern: &[u8], reached: &mut [bool]) {
    for (at, byte) in pattern.iter().enumerate() {
        reached[at + 1] |= reached[at] && *byte == b'*';
    }
}

pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn without_classes(written: &str) -> Vec<u8> {
    let bytes = written.as_bytes();
    let last_close = bytes.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        // A bracket right behind the opening one is a member of the class.
        let class = (bytes[at] == b'[' && at + 2 <= last_close)
            .then(|| bytes[at + 2..].iter().position(|byte| *byte == b']'))
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
            ("etc", "e[]t]c", true),
            ("a?c", "a*", true),
            ("a*c", "*b?", true),
            ("abc", "a**?**", true),
            ("abc", "????", false),
        ] {
            assert_eq!(may_meet(pattern, written), expected, "{pattern} {written}");
        }
    }
}
