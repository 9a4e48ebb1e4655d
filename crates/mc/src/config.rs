//! Where the server is and who we are: flag, then environment, then file, then default (§14).
//!
//! The only place that reads the environment and the configuration file. An empty value counts as
//! unset.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::options::Global;
use crate::words;

const DEFAULT_URL: &str = "http://localhost:3100";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Where the file is, below the home directory.
const FILE: &str = ".openclaw/mission-control.json";
/// No configuration file is larger.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A bearer token; it does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// The token itself, to be sent or saved.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// Everything that is set.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Without `/api/v1` and without a slash at the end.
    pub api_url: String,
    pub agent: Option<String>,
    /// Which of the operators we are, for the record (§1.1, `X-User-Id`).
    pub user: Option<String>,
    pub agent_token: Option<Token>,
    pub admin_token: Option<Token>,
    pub workspace: Option<String>,
    /// How long one attempt of a request may take.
    pub timeout: Duration,
    /// `--timeout` as given, for commands that wait longer than one request.
    pub patience: Option<Duration>,
    pub session: Option<String>,
    pub level: Level,
    pub no_colour: bool,
    pub file: PathBuf,
    /// Whether the file is there.
    pub has_file: bool,
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the environment and the file, and checks what they say.
    pub(crate) fn load(flags: &Global) -> Result<Self, Failure> {
        let path = match environment("MC_CONFIG") {
            Some(path) => PathBuf::from(path),
            None => Path::new(&environment("HOME").unwrap_or_default()).join(FILE),
        };
        let mut warnings = Vec::new();
        let file = File::read(&path, &mut warnings)?;
        let members = file.as_ref().map(|file| &file.0);
        let given = |variable: &str, key: &str| match environment(variable) {
            Some(value) => Ok(Some(value)),
            None => text(members, key, &path),
        };

        let api_url = match &flags.api_url {
            Some(url) => Some(url.clone()),
            None => given("MC_API_URL", "apiUrl")?,
        };
        let level = match given("MC_LOG_LEVEL", "logLevel")? {
            _ if flags.verbose => Level::Debug,
            Some(word) => level(&word)?,
            None => Level::Warn,
        };
        let admin_token = given("MC_ADMIN_TOKEN", "adminToken")?.map(Token);
        let agent_token = given("MC_AGENT_TOKEN", "token")?.map(Token);
        let (agent_token, admin_token) = match flags.token.clone().map(Token) {
            // A token on the command line speaks for the command, whoever's it is (§1.1).
            Some(token) if token.0.starts_with("mc_agt_") => (Some(token), None),
            Some(token) => (None, Some(token)),
            None if flags.admin && admin_token.is_none() => {
                return Err(Failure::usage("--admin needs the operator's token")
                    .hint("set MC_ADMIN_TOKEN, or adminToken in the configuration file"));
            }
            None if flags.admin => (None, admin_token),
            None => (agent_token, admin_token),
        };
        Ok(Self {
            api_url: address(&api_url.unwrap_or_else(|| DEFAULT_URL.to_owned()))?,
            agent: match &flags.agent {
                Some(agent) => Some(agent.clone()),
                None => given("MC_AGENT_ID", "agentId")?,
            },
            user: given("MC_USER_ID", "userId")?,
            agent_token,
            admin_token,
            workspace: given("MC_WORKSPACE", "workspace")?,
            timeout: match flags.timeout {
                Some(timeout) => timeout,
                None => timeout(environment("MC_DEFAULT_TIMEOUT"), members, &path)?,
            },
            patience: flags.timeout,
            session: environment("MC_SESSION_KEY"),
            level,
            no_colour: environment("NO_COLOR").is_some(),
            has_file: file.is_some(),
            file: path,
            warnings,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn text(
    members: Option<&Map<String, Value>>,
    key: &str,
    path: &Path,
) -> Result<Option<String>, Failure> {
    match members.and_then(|members| members.get(key)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(Failure::usage(format!(
            "{}: {key} must be a string, not {other}",
            path.display()
        ))),
    }
}

fn timeout(
    variable: Option<String>,
    members: Option<&Map<String, Value>>,
    path: &Path,
) -> Result<Duration, Failure> {
    let wrong = |place: String| Failure::usage(format!("{place} must be milliseconds, 1 or more"));
    let (milliseconds, place) = match (
        variable,
        members.and_then(|members| members.get("timeoutMs")),
    ) {
        (Some(text), _) => (
            text.trim().parse().ok(),
            format!("MC_DEFAULT_TIMEOUT={text}"),
        ),
        (None, Some(value)) => (value.as_u64(), format!("{}: timeoutMs", path.display())),
        (None, None) => return Ok(DEFAULT_TIMEOUT),
    };
    match milliseconds {
        Some(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(wrong(place)),
    }
}

fn level(word: &str) -> Result<Level, Failure> {
    Ok(match word.trim().to_lowercase().as_str() {
        "error" => Level::Error,
        "warn" | "warning" => Level::Warn,
        "info" => Level::Info,
        "debug" | "trace" => Level::Debug,
        _ => {
            return Err(Failure::usage(format!(
                "MC_LOG_LEVEL is {word:?}; it must be debug, info, warn or error"
            )));
        }
    })
}

/// The server's address without what we add ourselves.
fn address(text: &str) -> Result<String, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "MC_API_URL is {text:?}; it must be an address like {DEFAULT_URL}"
        ))
    };
    let url = reqwest::Url::parse(text.trim()).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            Failure::usage("MC_API_URL must not hold a user or a password")
                .hint("tokens go into MC_AGENT_TOKEN and MC_ADMIN_TOKEN"),
        );
    }
    let address = url.as_str().trim_end_matches('/');
    Ok(address
        .strip_suffix("/api/v1")
        .unwrap_or(address)
        .to_owned())
}

/// The configuration file: an object of which we know some members and keep the others.
pub(crate) struct File(pub Map<String, Value>);

impl File {
    /// `None` if there is no file. Warns when others can read it.
    fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Option<Self>, Failure> {
        let shown = path.display();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::usage(format!("cannot read {shown}: {error}"))),
        };
        if metadata.len() > LARGEST_FILE {
            return Err(Failure::usage(format!(
                "{shown} is larger than 1 MiB; that is no configuration"
            )));
        }
        if readable_by_others(&metadata) {
            warnings.push(format!(
                "{shown} holds tokens and others can read it; run: chmod 600 {shown}"
            ));
        }
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(members)) => Ok(Some(Self(members))),
            Ok(_) => Err(Failure::usage(format!("{shown} must hold a JSON object"))),
            Err(error) => Err(Failure::usage(format!("{shown} is not JSON: {error}"))),
        }
    }
}

#[cfg(unix)]
fn readable_by_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &fs::Metadata) -> bool {
    false
}

/// Writes these members into the file and keeps its others; only its owner can read it afterwards.
/// The file is replaced in one step, so that nobody ever reads half of it.
pub(crate) fn save(path: &Path, members: Map<String, Value>) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
    let mut all = File::read(path, &mut Vec::new())?
        .map(|file| file.0)
        .unwrap_or_default();
    all.extend(members);
    let mut text = serde_json::to_string_pretty(&all)
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))?;
    text.push('\n');
    // A link stays a link: what it leads to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    make_folder(folder).map_err(failed)?;
    let draft = folder.join(format!(
        ".mission-control-{}",
        uuid::Uuid::new_v4().simple()
    ));
    let written = write_private(&draft, &text).and_then(|()| fs::rename(&draft, &target));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(failed)
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What `--timeout` takes.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    match words::duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_taken_without_what_we_add() {
        for (given, taken) in [
            ("http://localhost:3100", "http://localhost:3100"),
            ("http://localhost:3100/", "http://localhost:3100"),
            ("https://mc.example/api/v1/", "https://mc.example"),
            ("https://mc.example/team", "https://mc.example/team"),
        ] {
            assert_eq!(address(given).unwrap(), taken);
        }
        for wrong in [
            "localhost:3100",
            "ftp://x",
            "",
            "http://",
            "http://user:pass@x",
            "http://x?y",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn saving_keeps_what_it_does_not_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/mission-control.json");
        save(&path, json!({"token": "a"}).as_object().cloned().unwrap()).unwrap();
        fs::write(&path, r#"{"theme": "dark", "token": "a"}"#).unwrap();
        save(&path, json!({"token": "b"}).as_object().cloned().unwrap()).unwrap();
        let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(kept, json!({"theme": "dark", "token": "b"}));
        assert!(!readable_by_others(&fs::metadata(&path).unwrap()));
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_token_does_not_print() {
        assert_eq!(
            format!("{:?}", Token("mc_agt_secret".to_owned())),
            "Token(…)"
        );
    }
}
