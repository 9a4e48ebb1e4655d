//! What the prompt says about the time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::WorkspaceError;

/// The zone of this IANA name.
pub(super) fn zone(name: &str) -> Result<TimeZone, WorkspaceError> {
    TimeZone::get(name.trim()).map_err(|_| WorkspaceError::UnknownTimezone(name.to_owned()))
}

/// The system's zone, UTC where it has none.
pub(super) fn system_zone() -> TimeZone {
    let zone = TimeZone::system();
    if zone.is_unknown() {
        TimeZone::UTC
    } else {
        zone
    }
}

/// The `## Current Time` block.
pub(super) fn block(now: Timestamp, zone: &TimeZone) -> String {
    let here = now.to_zoned(zone.clone());
    let name = match zone.iana_name() {
        Some(name) => name.to_owned(),
        // A system whose zone is a file without a name still has an offset.
        None => here.strftime("UTC%:z").to_string(),
    };
    let date = here.strftime("%A, %B %-d, %Y");
    let time = here.strftime("%-I:%M %p");
    format!("## Current Time\n\n- Date: {date}\n- Time: {time}\n- Timezone: {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_told_as_people_in_the_zone_tell_it() {
        let now: Timestamp = "2026-11-21T13:05:09Z".parse().unwrap();
        for (name, date, time) in [
            ("UTC", "Saturday, November 21, 2026", "1:05 PM"),
            ("America/New_York", "Saturday, November 21, 2026", "8:05 AM"),
            ("Pacific/Auckland", "Sunday, November 22, 2026", "2:05 AM"),
        ] {
            let expected =
                format!("## Current Time\n\n- Date: {date}\n- Time: {time}\n- Timezone: {name}");
            assert_eq!(block(now, &zone(name).unwrap()), expected);
        }
        let fixed = TimeZone::fixed(jiff::tz::offset(-3));
        assert!(block(now, &fixed).ends_with("- Time: 10:05 AM\n- Timezone: UTC-03:00"));
    }

    #[test]
    fn midnight_and_noon_are_twelve() {
        let time = |text: &str| block(text.parse().unwrap(), &TimeZone::UTC);
        assert!(time("2026-01-02T00:00:00Z").contains("- Time: 12:00 AM"));
        assert!(time("2026-01-02T12:30:00Z").contains("- Time: 12:30 PM"));
    }

    #[test]
    fn an_unknown_zone_is_named_in_the_error() {
        let error = zone("Mars/Olympus").unwrap_err();
        assert_eq!(
            error,
            WorkspaceError::UnknownTimezone("Mars/Olympus".to_owned())
        );
        assert!(zone("").is_err());
        assert!(zone("../etc/passwd").is_err());
    }
}
