//! Text from elsewhere, made safe for a terminal: nothing in it can move the cursor, change colours or
//! turn the reading direction.

/// Whether a character does something to a terminal instead of showing.
fn acts(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line: line ends and tabs become spaces, what acts becomes `�`.
pub(crate) fn line(text: &str) -> String {
    let show = |it: char| match it {
        '\n' | '\r' | '\t' => ' ',
        it if acts(it) => '\u{fffd}',
        it => it,
    };
    text.trim_end_matches(['\n', '\r'])
        .chars()
        .map(show)
        .collect()
}

/// Several lines: what acts becomes `�`, but line ends and tabs stay.
pub(crate) fn text(text: &str) -> String {
    let show = |it: char| match it {
        '\n' | '\t' => it,
        it if acts(it) => '\u{fffd}',
        it => it,
    };
    text.replace("\r\n", "\n").chars().map(show).collect()
}

/// JSON, where what acts can be written as an escape and means the same.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\n' | '\t' => shown.push(it),
            it if acts(it) => shown.push_str(&format!("\\u{:04x}", u32::from(it))),
            it => shown.push(it),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\u{7}d\u{202e}e\u{8}\r\nf";
        assert_eq!(
            line(hostile),
            "a\u{fffd}[2Jb\u{fffd}31mc\u{fffd}d\u{fffd}e\u{fffd}  f"
        );
        assert_eq!(text("a\r\n\tb\rc"), "a\n\tb\u{fffd}c");
        assert_eq!(json("\"\u{9b}\u{202e}é\""), "\"\\u009b\\u202eé\"");
    }
}
