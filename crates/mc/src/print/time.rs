//! Times as people say them. Only tables do; JSON keeps what the server sent.

use jiff::Timestamp;

/// The time now, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// `3 min ago`, `in 2 h`; the text itself if it is no time.
pub(crate) fn relative(text: &str, now: Timestamp) -> String {
    let Ok(moment) = text.parse::<Timestamp>() else {
        return text.to_owned();
    };
    let seconds = now.as_second() - moment.as_second();
    let long = span(seconds.unsigned_abs());
    match seconds {
        -4..=4 => "now".to_owned(),
        5.. => format!("{long} ago"),
        _ => format!("in {long}"),
    }
}

/// A length of time in its largest unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (moment, said) in [
            ("2026-11-21T12:00:00Z", "now"),
            ("2026-11-21T11:59:30Z", "30 s ago"),
            ("2026-11-21T11:57:00Z", "3 min ago"),
            ("2026-11-21T14:00:00Z", "in 2 h"),
            ("2026-11-20T12:00:00Z", "1 day ago"),
            ("2026-11-11T12:00:00Z", "10 days ago"),
            ("soon", "soon"),
        ] {
            assert_eq!(relative(moment, now), said);
        }
    }
}
