//! What is in the workspace's folders, and how large its files are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::WorkspaceError;
use super::files::{Files, absent_as_none, unreadable};

/// The most names that are read of one folder.
const MOST_NAMES: usize = 4_096;
/// How far into a file characters are counted.
const MOST_COUNTED: u64 = 16 * 1024 * 1024;

impl Files {
    /// The names of the folders in `folder`, sorted; hidden ones are left out.
    pub(super) fn folders(&self, folder: &str) -> Result<Vec<String>, WorkspaceError> {
        self.names(folder, Path::is_dir)
    }

    /// The names of the files in `folder`, sorted; hidden ones are left out.
    pub(super) fn files(&self, folder: &str) -> Result<Vec<String>, WorkspaceError> {
        self.names(folder, Path::is_file)
    }

    fn names(
        &self,
        folder: &str,
        is_wanted: fn(&Path) -> bool,
    ) -> Result<Vec<String>, WorkspaceError> {
        let read = absent_as_none(fs::read_dir(self.dir().join(folder)));
        let Some(entries) = read.map_err(|error| unreadable(folder, &error))? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries.take(MOST_NAMES) {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let name = entry.file_name().into_string().ok();
            let shown = name.filter(|name| !name.starts_with('.'));
            names.extend(shown.filter(|_| is_wanted(&entry.path())));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether `folder` holds anything that can be shown beside the file of this name.
    pub(super) fn has_beside(&self, folder: &str, file: &str) -> bool {
        let more = |names: Result<Vec<String>, _>| {
            names.is_ok_and(|names| names.iter().any(|name| name != file))
        };
        more(self.files(folder)) || more(self.folders(folder))
    }

    /// The paths of the files in and below `folder`, as seen from there, at most `most` of them.
    /// Folders that are links are not entered.
    pub(super) fn tree(&self, folder: &str, depth: usize, most: usize) -> Vec<String> {
        let mut found = self.files(folder).unwrap_or_default();
        let below = if depth == 0 {
            Vec::new()
        } else {
            self.folders(folder).unwrap_or_default()
        };
        for name in below {
            let path = format!("{folder}/{name}");
            if found.len() >= most || self.dir().join(&path).is_symlink() {
                continue;
            }
            let deeper = self.tree(&path, depth - 1, most - found.len());
            found.extend(deeper.into_iter().map(|file| format!("{name}/{file}")));
        }
        found.truncate(most);
        found
    }

    /// How many characters the file of this name has; `None` when there is none.
    pub(super) fn characters(&self, name: &str) -> Result<Option<u64>, WorkspaceError> {
        let path = self.dir().join(name);
        if !path.is_file() {
            return Ok(None);
        }
        absent_as_none(count(&path)).map_err(|error| unreadable(name, &error))
    }
}

/// Of UTF-8, every byte but the continuing ones begins a character.
fn count(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?.take(MOST_COUNTED);
    let (mut buffer, mut characters) = ([0; 16 * 1024], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(characters);
        }
        let begins = buffer[..read].iter().filter(|byte| **byte & 0xC0 != 0x80);
        characters += begins.count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_listed_in_order_and_to_a_depth() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "b/SKILL.md",
            "b/x/1.md",
            "b/x/y/2.md",
            "b/x/y/z/3.md",
            "a/SKILL.md",
            ".hidden/x",
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let files = Files::new(dir.path().to_owned());
        assert_eq!(files.folders(".").unwrap(), ["a", "b"]);
        assert_eq!(files.folders("none").unwrap(), [""; 0]);
        assert_eq!(files.folders("a/SKILL.md").unwrap(), [""; 0]);
        assert_eq!(files.tree("b", 2, 10), ["SKILL.md", "x/1.md", "x/y/2.md"]);
        assert_eq!(files.tree("b", 2, 2), ["SKILL.md", "x/1.md"]);
        assert!(files.has_beside("b", "SKILL.md"));
        assert!(!files.has_beside("a", "SKILL.md"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path(), dir.path().join("b/loop")).unwrap();
            assert_eq!(files.tree("b", 9, 99).len(), 4);
        }
    }

    #[test]
    fn characters_are_counted_however_long_the_file_is() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().to_owned());
        for text in ["", "abc", "ü😀", &"😀x".repeat(20_001)] {
            fs::write(dir.path().join("A.md"), text).unwrap();
            let expected = text.chars().count() as u64;
            assert_eq!(files.characters("A.md").unwrap(), Some(expected));
        }
        assert_eq!(files.characters("B.md").unwrap(), None);
        assert_eq!(files.characters(".").unwrap(), None);
    }
}
