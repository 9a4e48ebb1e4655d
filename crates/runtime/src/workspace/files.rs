//! Reading workspace files: cut to size, and again only when they changed.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{MAX_FILE_CHARS, WorkspaceError};

/// Enough for the fixed files and many roles, days and skills; beyond it the cache starts over.
const MAX_CACHED: usize = 512;

/// A file changed this recently may change again without its time stamp showing it, so it is not
/// kept.
const SETTLED: Duration = Duration::from_secs(2);

const CUT: &str = "\n\n[cut here: the file is longer than 20,000 characters]";

#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    cache: Mutex<HashMap<PathBuf, Kept>>,
}

#[derive(Debug)]
struct Kept {
    modified: SystemTime,
    len: u64,
    text: Arc<str>,
}

enum Place {
    Nowhere,
    Outside,
    Inside(PathBuf),
}

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            cache: Mutex::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether something of this name is in the folder.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// The trimmed text of the file of this name; `None` when there is none or it is blank.
    pub(super) fn read(&self, name: &str) -> Result<Option<Arc<str>>, WorkspaceError> {
        self.read_path(&self.dir.join(name))
            .map_err(|error| unreadable(name, &error))
    }

    /// As [`read`](Self::read), for a name that came from outside: nothing beyond the workspace is
    /// read, wherever a symbolic link points.
    pub(super) fn read_within(&self, name: &str) -> Result<Option<Arc<str>>, WorkspaceError> {
        self.read_inside(".", name)
    }

    /// As [`read_within`](Self::read_within), for what must lie in one folder of the workspace.
    pub(super) fn read_inside(
        &self,
        folder: &str,
        name: &str,
    ) -> Result<Option<Arc<str>>, WorkspaceError> {
        match self.place(folder, name)? {
            Place::Nowhere => Ok(None),
            Place::Outside => {
                tracing::warn!(folder, file = name, "not read: it leads out of its folder");
                Ok(None)
            }
            Place::Inside(path) => self
                .read_path(&path)
                .map_err(|error| unreadable(name, &error)),
        }
    }

    /// Whether something of this name is there, but beyond the workspace.
    pub(super) fn leads_out(&self, name: &str) -> bool {
        matches!(self.place(".", name), Ok(Place::Outside))
    }

    /// Where `name` in `folder` really is.
    fn place(&self, folder: &str, name: &str) -> Result<Place, WorkspaceError> {
        let folder = self.dir.join(folder);
        let resolved = absent_as_none(fs::canonicalize(folder.join(name)));
        let Some(path) = resolved.map_err(|error| unreadable(name, &error))? else {
            return Ok(Place::Nowhere);
        };
        let home = fs::canonicalize(&folder).map_err(|error| unreadable(".", &error))?;
        Ok(if path.starts_with(home) {
            Place::Inside(path)
        } else {
            Place::Outside
        })
    }

    fn read_path(&self, path: &Path) -> io::Result<Option<Arc<str>>> {
        let Some(metadata) = absent_as_none(fs::metadata(path))?.filter(Metadata::is_file) else {
            return Ok(None);
        };
        let modified = metadata.modified()?;
        let text = match self.kept(path, modified, metadata.len()) {
            Some(text) => text,
            None => {
                let Some(text) = absent_as_none(read_cut(path))? else {
                    return Ok(None);
                };
                let text: Arc<str> = text.into();
                self.keep(path, modified, metadata.len(), &text);
                text
            }
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn kept(&self, path: &Path, modified: SystemTime, len: u64) -> Option<Arc<str>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = cache.get(path)?;
        (kept.modified == modified && kept.len == len).then(|| Arc::clone(&kept.text))
    }

    fn keep(&self, path: &Path, modified: SystemTime, len: u64, text: &Arc<str>) {
        if modified.elapsed().is_ok_and(|age| age < SETTLED) {
            return;
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(
            path.to_owned(),
            Kept {
                modified,
                len,
                text: Arc::clone(text),
            },
        );
    }
}

pub(super) fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn unreadable(name: &str, error: &io::Error) -> WorkspaceError {
    WorkspaceError::Unreadable {
        file: name.to_owned(),
        reason: error.to_string(),
    }
}

/// The start of a file, however long it is: never more than four bytes per character are read.
fn read_cut(path: &Path) -> io::Result<String> {
    let most = 4 * (MAX_FILE_CHARS as u64 + 1);
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    let longer = bytes.len() as u64 > most;
    let text = String::from_utf8_lossy(&bytes);
    Ok(cut(text.trim_start_matches('\u{feff}').trim(), longer))
}

/// `text` in at most [`MAX_FILE_CHARS`], with a mark where something is missing.
fn cut(text: &str, longer: bool) -> String {
    if !longer && text.chars().nth(MAX_FILE_CHARS).is_none() {
        return text.to_owned();
    }
    let room = MAX_FILE_CHARS - CUT.chars().count();
    let mut kept: String = text.chars().take(room).collect();
    kept.push_str(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().to_owned());
        (dir, files)
    }

    #[test]
    fn a_long_file_is_cut_and_the_mark_counts() {
        let (dir, files) = folder();
        let check = |text: &str, is_cut: bool| {
            fs::write(dir.path().join("A.md"), text).unwrap();
            let read = files.read("A.md").unwrap().unwrap();
            assert!(read.chars().count() <= MAX_FILE_CHARS);
            assert_eq!(read.ends_with(CUT), is_cut);
            assert!(read.starts_with(text.chars().next().unwrap()));
        };
        check(&"x".repeat(MAX_FILE_CHARS), false);
        check(&"ü".repeat(MAX_FILE_CHARS), false);
        check(&"x".repeat(MAX_FILE_CHARS + 1), true);
        check(&"😀".repeat(3 * MAX_FILE_CHARS), true);
    }

    #[test]
    fn an_edit_counts_at_once_even_at_the_same_length() {
        let (dir, files) = folder();
        let path = dir.path().join("A.md");
        for text in ["one", "two", "a longer one"] {
            fs::write(&path, text).unwrap();
            assert_eq!(files.read("A.md").unwrap().as_deref(), Some(text));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(files.read("A.md").unwrap(), None);
    }

    #[test]
    fn a_settled_file_is_read_once_until_its_date_changes() {
        let (dir, files) = folder();
        let path = dir.path().join("A.md");
        let write = |text: &str, seconds: u64| {
            fs::write(&path, text).unwrap();
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(date)
                .unwrap();
        };
        write("one", 1_000);
        assert_eq!(files.read("A.md").unwrap().as_deref(), Some("one"));
        write("two", 1_000);
        assert_eq!(
            files.read("A.md").unwrap().as_deref(),
            Some("one"),
            "same date and length"
        );
        write("six", 2_000);
        assert_eq!(files.read("A.md").unwrap().as_deref(), Some("six"));
    }

    #[test]
    fn the_cache_stays_small() {
        let (dir, files) = folder();
        for number in 0..=2 * MAX_CACHED {
            let name = format!("{number}.md");
            fs::write(dir.path().join(&name), "x").unwrap();
            let file = File::options()
                .write(true)
                .open(dir.path().join(&name))
                .unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            files.read(&name).unwrap();
        }
        assert!(files.cache.lock().unwrap().len() <= MAX_CACHED);
    }

    #[test]
    fn what_is_no_readable_text_file_is_absent_or_repaired() {
        let (dir, files) = folder();
        fs::create_dir(dir.path().join("FOLDER.md")).unwrap();
        assert_eq!(files.read("FOLDER.md").unwrap(), None);
        assert_eq!(files.read("MISSING.md").unwrap(), None);
        assert_eq!(files.read("FOLDER.md/../MISSING/A.md").unwrap(), None);
        fs::write(dir.path().join("BLANK.md"), " \n\t").unwrap();
        assert_eq!(files.read("BLANK.md").unwrap(), None);
        fs::write(dir.path().join("LATIN.md"), b"\xef\xbb\xbfcaf\xe9\n").unwrap();
        assert_eq!(
            files.read("LATIN.md").unwrap().as_deref(),
            Some("caf\u{fffd}")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out_of_the_folder() {
        let (dir, files) = folder();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.md"), "secret").unwrap();
        fs::write(dir.path().join("inside.md"), "inside").unwrap();
        let link = |from: &Path, to: &str| {
            std::os::unix::fs::symlink(from, dir.path().join(to)).unwrap();
        };
        link(&outside.path().join("secret.md"), "out.md");
        link(&dir.path().join("inside.md"), "in.md");
        link(outside.path(), "folder");
        assert_eq!(
            files.read_within("in.md").unwrap().as_deref(),
            Some("inside")
        );
        assert_eq!(files.read_within("out.md").unwrap(), None);
        assert_eq!(files.read_within("folder/secret.md").unwrap(), None);
        assert_eq!(files.read_within("missing.md").unwrap(), None);
    }
}
