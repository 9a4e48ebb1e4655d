//! What time it is, for a database that runs in this process.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;
use stationmaster_kernel::Timestamp;

/// The system's clock, moved by an offset that a test may write into a file, and the time zone in
/// which days are counted.
#[derive(Debug, Clone)]
pub struct Clock {
    offset_file: Option<PathBuf>,
    zone: TimeZone,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset_file: None,
            zone: TimeZone::UTC,
        }
    }
}

/// When a transaction happens: its time, and the time zone in which its day is counted.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl Clock {
    /// A clock moved by the number of milliseconds that `file` holds; it is read again for every
    /// transaction, and one that is missing or holds no number moves nothing.
    #[must_use]
    pub fn moved_by(file: PathBuf) -> Self {
        Self {
            offset_file: Some(file),
            ..Self::default()
        }
    }

    /// The same clock, with days counted in this zone; in UTC otherwise.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The moment it is now.
    pub(crate) fn moment(&self) -> Moment {
        self.moment_of(self.now())
    }

    /// The moment when the database's own clock, moved by this one's offset, shows `now`.
    pub(crate) fn moment_of(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            zone: self.zone.clone(),
        }
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok())
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    }

    /// The time it is now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the store's clock reads the system's"
    )]
    pub fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp(ms.saturating_add(self.offset_ms()))
    }
}
