//! Where a path leads, by its words alone: no file is looked at, so a link is taken for what it is
//! called (OpenClaw contract §8.4, files).

use crate::pattern::{alternatives, fits, may_meet, segments_fit};

/// Stands for a directory that nobody told us: no path that anybody can write contains it.
const UNKNOWN: &str = "\u{1}";

/// The longest path that is looked at. A longer one is on no allowlist.
pub(crate) const LONGEST: usize = 4096;

/// Where an agent is: what relative paths and `~` start from.
#[derive(Debug)]
pub(crate) struct Place {
    workspace: Vec<String>,
    home: Option<Vec<String>>,
}

impl Place {
    pub(crate) fn new(workspace: Option<&str>, home: Option<&str>) -> Self {
        let home = home.map(|home| owned(&normalized(&split(home))));
        let workspace = match workspace {
            Some(path) => {
                let (base, rest) = match (path.strip_prefix('~'), &home) {
                    (Some(rest), Some(home)) => (home.clone(), rest),
                    _ => (Vec::new(), path),
                };
                let mut segments: Vec<&str> = base.iter().map(String::as_str).collect();
                segments.extend(split(rest));
                owned(&normalized(&segments))
            }
            None => vec![UNKNOWN.to_owned(), "workspace".to_owned()],
        };
        Self { workspace, home }
    }

    /// Where a path leads from here.
    pub(crate) fn locate<'a>(&'a self, written: &'a str) -> Located<'a> {
        let mut segments: Vec<&str> = Vec::with_capacity(16);
        let home = written
            .strip_prefix('~')
            .or_else(|| variable(written, "HOME"));
        let workspace = variable(written, "WORKSPACE").or_else(|| variable(written, "PWD"));
        let rest = if let Some(rest) = workspace {
            segments.extend(self.workspace.iter().map(String::as_str));
            rest
        } else if let Some(rest) = home {
            let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
            match (&self.home, user) {
                (Some(home), "") => segments.extend(home.iter().map(String::as_str)),
                (_, "root") => segments.push("root"),
                (_, "") => segments.extend(["home", UNKNOWN]),
                (_, user) => segments.extend(["home", user]),
            }
            rest
        } else if written.starts_with('/') {
            written
        } else {
            segments.extend(self.workspace.iter().map(String::as_str));
            written
        };
        segments.extend(split(rest));
        let segments = normalized(&segments);
        let in_workspace = below(&segments, &self.workspace);
        let beside_workspace = match self.workspace.split_last() {
            Some((_, parent)) => below(&segments, parent),
            None => None,
        };
        let own_home = match &self.home {
            Some(home) => below(&segments, home),
            None => (segments.len() >= 2 && segments[..2] == ["home", UNKNOWN]).then_some(2),
        };
        let any_home = own_home.or(match segments.as_slice() {
            ["root", ..] => Some(1),
            ["home" | "Users", _, ..] => Some(2),
            _ => None,
        });
        Located {
            place: self,
            climbs: written.split('/').any(|segment| segment == ".."),
            is_unknown: workspace.is_none() && home.is_none() && has_variable(written),
            segments,
            in_workspace,
            beside_workspace,
            own_home,
            any_home,
        }
    }
}

/// A path as its segments from the root, and how many of them lead to the places that patterns name.
#[derive(Debug)]
pub(crate) struct Located<'a> {
    place: &'a Place,
    segments: Vec<&'a str>,
    climbs: bool,
    is_unknown: bool,
    in_workspace: Option<usize>,
    beside_workspace: Option<usize>,
    own_home: Option<usize>,
    any_home: Option<usize>,
}

impl Located<'_> {
    /// It goes through `..` and ends outside of the workspace.
    pub(crate) fn escapes(&self) -> bool {
        self.climbs && self.in_workspace.is_none()
    }

    /// It begins with a variable of which nobody knows what it stands for.
    pub(crate) fn is_unknown(&self) -> bool {
        self.is_unknown
    }
}

/// What follows a variable at a path's beginning: `$NAME` or `${NAME}`, alone or before a `/`.
fn variable<'a>(written: &'a str, name: &str) -> Option<&'a str> {
    let rest = written.strip_prefix('$')?;
    let plain = rest.strip_prefix(name);
    let braced = || {
        rest.strip_prefix('{')?
            .strip_prefix(name)?
            .strip_prefix('}')
    };
    let rest = plain.or_else(braced)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether a path begins with a variable; `$id.tsx` is the name of a file.
fn has_variable(written: &str) -> bool {
    let rest = written.strip_prefix('$').unwrap_or_default();
    rest.starts_with('{') || rest.starts_with(|letter: char| letter.is_ascii_uppercase())
}

fn split(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn owned(segments: &[&str]) -> Vec<String> {
    segments
        .iter()
        .map(|segment| (*segment).to_owned())
        .collect()
}

fn normalized<'a>(segments: &[&'a str]) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::with_capacity(segments.len());
    for segment in segments {
        match *segment {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            segment => out.push(segment),
        }
    }
    out
}

fn below(segments: &[&str], parent: &[String]) -> Option<usize> {
    let starts = segments.len() >= parent.len()
        && segments
            .iter()
            .zip(parent)
            .all(|(segment, parent)| segment == parent);
    starts.then_some(parent.len())
}

/// What a pattern's first segments are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Root,
    Workspace,
    BesideWorkspace,
    Home,
    Anywhere,
}

/// A pattern of paths, and how it was written.
#[derive(Debug)]
pub(crate) struct PathPattern {
    pub(crate) written: String,
    anchor: Anchor,
    choices: Vec<Vec<String>>,
}

impl PathPattern {
    /// Reads a pattern; says what is wrong with it otherwise.
    pub(crate) fn new(written: &str) -> Result<Self, String> {
        if written.trim().is_empty() {
            return Err("is empty; a pattern names at least one segment".to_owned());
        }
        if written.contains('[') {
            return Err("has `[`; patterns know `*`, `**`, `?` and `{a,b}`".to_owned());
        }
        if written.matches('{').count() != written.matches('}').count() || written.contains("{{") {
            return Err("has a brace without its other half; write `{a,b}`".to_owned());
        }
        let stripped = |prefix: &str| -> Option<&str> {
            let rest = written.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        };
        let (anchor, rest) = if let Some(rest) = stripped("$WORKSPACE/..") {
            (Anchor::BesideWorkspace, rest)
        } else if let Some(rest) = stripped("$WORKSPACE") {
            (Anchor::Workspace, rest)
        } else if let Some(rest) = stripped("~") {
            (Anchor::Home, rest)
        } else if written.starts_with('/') {
            (Anchor::Root, written)
        } else if written.starts_with(['$', '~']) {
            return Err(
                "starts with an unknown place; known are `/`, `~/` and `$WORKSPACE/`".to_owned(),
            );
        } else {
            (Anchor::Anywhere, written)
        };
        if rest.split('/').any(|segment| segment == "..") {
            return Err("goes through `..`; only `$WORKSPACE/../` may".to_owned());
        }
        let choices = alternatives(rest)
            .iter()
            .map(|choice| owned(&normalized(&split(choice))))
            .collect();
        Ok(Self {
            written: written.to_owned(),
            anchor,
            choices,
        })
    }

    /// A directory with all that is in it.
    pub(crate) fn directory(written: &str) -> Result<Self, String> {
        let mut pattern = Self::new(written.trim_end_matches('/'))?;
        written.clone_into(&mut pattern.written);
        for choice in &mut pattern.choices {
            choice.push("**".to_owned());
        }
        Ok(pattern)
    }

    /// For an allowlist: it surely fits.
    pub(crate) fn covers(&self, path: &Located<'_>) -> bool {
        let from = match self.anchor {
            Anchor::Root => Some(0),
            Anchor::Workspace => path.in_workspace,
            Anchor::BesideWorkspace => path.beside_workspace,
            Anchor::Home => path.own_home,
            Anchor::Anywhere => return self.anywhere(&path.segments, &fits),
        };
        from.is_some_and(|from| self.fits(&path.segments[from..], &fits))
    }

    /// For a blocklist: it fits, or what the shell makes of it could.
    pub(crate) fn hits(&self, path: &Located<'_>) -> bool {
        let from = match self.anchor {
            // A rule that would close the agent's own workspace is about all the rest of that directory.
            Anchor::Root if path.in_workspace.is_some() && self.holds_workspace(path.place) => None,
            Anchor::Root => Some(0),
            Anchor::Workspace => path.in_workspace,
            Anchor::BesideWorkspace => path.beside_workspace,
            Anchor::Home => path.any_home,
            Anchor::Anywhere => return self.anywhere(&path.segments, &may_meet),
        };
        from.is_some_and(|from| self.fits(&path.segments[from..], &may_meet))
    }

    fn holds_workspace(&self, place: &Place) -> bool {
        let workspace: Vec<&str> = place.workspace.iter().map(String::as_str).collect();
        self.fits(&workspace, &fits)
    }

    fn fits(&self, segments: &[&str], same: &dyn Fn(&str, &str) -> bool) -> bool {
        self.choices
            .iter()
            .any(|choice| segments_fit(choice, segments, same))
    }

    /// At any depth, and all that is below.
    fn anywhere(&self, segments: &[&str], same: &dyn Fn(&str, &str) -> bool) -> bool {
        let ends = 1..=segments.len();
        self.choices.iter().any(|choice| match choice.as_slice() {
            [single] if single != "**" => segments.iter().any(|segment| same(single, segment)),
            _ => (0..segments.len()).any(|start| {
                ends.clone()
                    .filter(|end| *end > start)
                    .any(|end| segments_fit(choice, &segments[start..end], same))
            }),
        })
    }
}

impl std::fmt::Display for Located<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.segments
            .iter()
            .try_for_each(|segment| write!(formatter, "/{segment}"))
    }
}
