//! Where settings come from, under one name each.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

/// Named texts. An empty one counts as unset.
#[derive(Clone, Default)]
pub(crate) struct Source(HashMap<String, String>);

impl std::fmt::Debug for Source {
    /// Names only: the values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source {
    /// The environment, over a `.env` file in the working directory.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub(crate) fn environment() -> Result<Self> {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let file = read_if_there(Path::new(".env"))?
            .map(|text| dotenv(&text))
            .transpose()
            .context(".env")?;
        Ok(Self(process).over(Self(file.unwrap_or_default())))
    }

    /// A TOML file whose keys are the names in lower case; one that is missing says nothing.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let Some(text) = read_if_there(path)? else {
            return Ok(Self::default());
        };
        let table: toml::Table = text
            .parse()
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let mut found = HashMap::new();
        for (name, value) in table {
            let text = plain(&value).with_context(|| {
                format!(
                    "{}: {name} must be a text, a number, true, false or a list",
                    path.display()
                )
            })?;
            found.insert(name.to_uppercase(), text);
        }
        Ok(Self(found))
    }

    /// This one, and where it says nothing, the other.
    pub(crate) fn over(self, other: Self) -> Self {
        let mut all = other.0;
        all.extend(self.0);
        Self(all)
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(pairs.iter().map(owned).collect())
    }

    /// What skills find here, if this is the environment.
    pub(crate) fn machine(&self) -> stationmaster_runtime::Machine {
        stationmaster_runtime::Machine::with_environment(self.0.clone())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0
            .get(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// A setting of the agent runtime: with our prefix, else `CLASPER_`, else `WOMBAT_`.
    pub(crate) fn seed(&self, name: &str) -> Option<String> {
        ["STATIONMASTER_", "CLASPER_", "WOMBAT_"]
            .iter()
            .find_map(|prefix| self.text(&format!("{prefix}{name}")))
    }

    pub(crate) fn seed_number<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        parse(name, self.seed(name), default)
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        parse(name, self.text(name), default)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        truth(name, self.text(name).as_deref())
    }

    pub(crate) fn seed_flag(&self, name: &str) -> Result<bool> {
        truth(name, self.seed(name).as_deref())
    }

    /// Items between commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn truth(name: &str, text: Option<&str>) -> Result<bool> {
    match text {
        None | Some("false" | "0" | "no") => Ok(false),
        Some("true" | "1" | "yes") => Ok(true),
        Some(other) => bail!("{name}={other} is neither true nor false"),
    }
}

fn parse<T: FromStr>(name: &str, text: Option<String>, default: T) -> Result<T> {
    match text {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| anyhow!("{name}={text} is not a number that fits")),
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => items
            .iter()
            .map(plain)
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join(",")),
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
    }
}

/// `NAME=value` lines; `#` begins a comment, quotes are taken off, `export` is passed over.
fn dotenv(text: &str) -> Result<HashMap<String, String>> {
    let mut found = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .with_context(|| format!("line {number} is not NAME=value"))?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            let (inside, rest) = value.strip_prefix(*quote)?.split_once(*quote)?;
            let rest = rest.trim();
            (rest.is_empty() || rest.starts_with('#')).then_some(inside)
        });
        let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim());
        found.insert(name.trim().to_owned(), value.to_owned());
    }
    found.retain(|_, value: &mut String| !value.is_empty());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotenv_file_is_read_as_people_write_it() {
        let found = dotenv(
            "# secrets\nexport A=1\nB = \"two words\" # note\nC='x#y'\nD=plain # note\nE=\n\nF=a=b\n",
        )
        .unwrap();
        let get = |name: &str| found.get(name).map(String::as_str);
        assert_eq!(
            [get("A"), get("B"), get("C"), get("D"), get("E"), get("F")],
            [
                Some("1"),
                Some("two words"),
                Some("x#y"),
                Some("plain"),
                None,
                Some("a=b")
            ]
        );
        assert_eq!(
            dotenv("oops").unwrap_err().to_string(),
            "line 1 is not NAME=value"
        );
    }

    #[test]
    fn the_first_source_wins_and_the_newer_prefix_too() {
        let both = Source::of(&[("WOMBAT_WORKSPACE", "w"), ("A", "1")]).over(Source::of(&[
            ("CLASPER_WORKSPACE", "c"),
            ("A", "2"),
            ("B", "3"),
        ]));
        assert_eq!(both.seed("WORKSPACE").as_deref(), Some("c"));
        assert_eq!(
            (both.text("A").as_deref(), both.text("B").as_deref()),
            (Some("1"), Some("3"))
        );
        assert_eq!(both.seed_number("RETRY_ATTEMPTS", 3).unwrap(), 3);
    }
}
