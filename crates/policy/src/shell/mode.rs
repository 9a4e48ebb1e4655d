//! File modes: the rights that `chmod` is asked to give, however they are written.

/// The rights that a mode gives, of the nine; `None` is no mode. `+t` and the like give none of them.
pub(crate) fn rights(mode: &str) -> Option<u32> {
    if mode.is_empty() || mode.len() > 64 {
        return None;
    }
    let digits = mode.trim_start_matches(['+', '=']);
    if digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) && !digits.is_empty() {
        return u32::from_str_radix(digits, 8).ok().map(|bits| bits & 0o777);
    }
    let mut all = 0;
    for clause in mode.split(',') {
        all |= clause_rights(clause)?;
    }
    Some(all)
}

fn clause_rights(clause: &str) -> Option<u32> {
    let operator = clause.find(['+', '-', '='])?;
    let (who, mut rest) = clause.split_at(operator);
    let mut classes = 0;
    for letter in who.chars() {
        classes |= match letter {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => 0o777,
            _ => return None,
        };
    }
    if classes == 0 {
        // Nobody named is everybody, as far as the umask lets it.
        classes = 0o777;
    }
    let mut given = 0;
    while let Some(operator) = rest.chars().next() {
        let end = rest[1..]
            .find(['+', '-', '='])
            .map_or(rest.len(), |at| at + 1);
        let mut bits = 0;
        for letter in rest[1..end].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' | 'X' => 0o111,
                's' | 't' => 0,
                // What a class already has is not known, so it may be everything.
                'u' | 'g' | 'o' => 0o777,
                _ => return None,
            };
        }
        if operator != '-' {
            given |= bits & classes;
        }
        rest = &rest[end..];
    }
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::rights;

    #[test]
    fn a_mode_gives_the_same_rights_however_it_is_written() {
        for (mode, expected) in [
            ("777", Some(0o777)),
            ("0777", Some(0o777)),
            ("4777", Some(0o777)),
            ("a+rwx", Some(0o777)),
            ("ugo=rwx", Some(0o777)),
            ("u+rwx,g+rwx,o+rwx", Some(0o777)),
            ("+rwx", Some(0o777)),
            ("u=rw+x,go=u", Some(0o777)),
            ("755", Some(0o755)),
            ("u+x", Some(0o100)),
            ("a-rwx", Some(0)),
            ("file", None),
            ("-R", None),
        ] {
            assert_eq!(rights(mode), expected, "{mode}");
        }
    }
}
