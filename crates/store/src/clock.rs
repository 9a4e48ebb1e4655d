//! What time it is, for a database that runs in this process.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use stationmaster_kernel::Timestamp;

/// The system's clock, moved by an offset that a test may write into a file.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_file: Option<PathBuf>,
}

impl Clock {
    /// A clock moved by the number of milliseconds that `file` holds; it is read again for every
    /// transaction, and one that is missing or holds no number moves nothing.
    #[must_use]
    pub fn moved_by(file: PathBuf) -> Self {
        Self {
            offset_file: Some(file),
        }
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok())
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    }

    /// The moment it is now.
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
