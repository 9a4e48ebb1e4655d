//! Secrets: from the environment or the settings file, else generated once into a file that only
//! its owner can read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context, Result};
use stationmaster_credentials::{Algorithm, Secret};

use super::source::Source;

pub(super) const FILE: &str = "secrets.toml";

/// What credentials are made with and checked against.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub admin_token: Secret,
    pub agent_jwt: Secret,
    pub algorithm: Algorithm,
    /// The only key for tokens that are not an agent's, if set.
    pub admin_jwt: Option<Secret>,
    pub internal_token: Secret,
    /// The internal token was set by somebody, who may have told it to other programs.
    pub internal_token_is_given: bool,
    /// Never generated: without one the runtime's routes are open.
    pub daemon_key: Option<Secret>,
    /// The admin token was made just now and must be shown once.
    pub admin_token_is_new: bool,
}

impl Secrets {
    /// Reads what is given and generates what is missing and needed (rulings 25).
    pub(super) fn load(data_dir: &Path, source: &Source) -> Result<Self> {
        make_private_dir(data_dir)?;
        let path = data_dir.join(FILE);
        // Two programs that start together must not each make a secret of their own.
        let mut file = open_private_file(&path)?;
        file.lock()
            .with_context(|| format!("{} cannot be locked", path.display()))?;
        let kept = Source::file(&path)?;
        let mut made = Vec::new();
        let mut need = |names: &[&'static str], prefix: &str| -> Result<Secret> {
            let given = names.iter().find_map(|name| source.text(name));
            if let Some(secret) = given.as_deref().and_then(Secret::new) {
                return Ok(secret);
            }
            let name = names.first().copied().unwrap_or_default();
            if let Some(secret) = kept.text(name).as_deref().and_then(Secret::new) {
                return Ok(secret);
            }
            let secret = Secret::generate(prefix).context("generating a secret")?;
            made.push((name, secret.clone()));
            Ok(secret)
        };
        let admin_token = need(&["MC_ADMIN_TOKEN"], "mc_adm_")?;
        let agent_jwt = need(&["AGENT_JWT_SECRET", "JWT_SECRET"], "")?;
        let internal_names = ["INTERNAL_API_TOKEN", "INTERNAL_TOKEN"];
        let internal_token = need(&internal_names, "")?;
        let admin_token_is_new = made.iter().any(|(name, _)| *name == "MC_ADMIN_TOKEN");
        append(&mut file, &made)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let algorithm = source
            .text("AGENT_JWT_ALGORITHM")
            .unwrap_or_else(|| "HS256".to_owned());
        Ok(Self {
            admin_token,
            agent_jwt,
            algorithm: algorithm
                .parse()
                .map_err(|error| anyhow::anyhow!("AGENT_JWT_ALGORITHM: {error}"))?,
            admin_jwt: source
                .text("ADMIN_JWT_SECRET")
                .as_deref()
                .and_then(Secret::new),
            internal_token,
            internal_token_is_given: internal_names
                .iter()
                .any(|name| source.text(name).is_some()),
            daemon_key: source
                .text("AGENT_DAEMON_API_KEY")
                .as_deref()
                .and_then(Secret::new),
            admin_token_is_new,
        })
    }
}

/// Makes a directory that only its owner can enter. One that was there before and holds other
/// things than ours keeps its mode: it may be somebody's project, or `/tmp`.
pub(crate) fn make_private_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    let mut entries =
        fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !path.join(FILE).exists() && entries.next().is_some() {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("{} cannot be made private", path.display()))
}

/// Opens a file for appending that only its owner can read.
pub(crate) fn open_private_file(path: &Path) -> Result<fs::File> {
    let context = || format!("{} cannot be opened", path.display());
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)
        .with_context(context)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .with_context(context)?;
    Ok(file)
}

fn append(file: &mut fs::File, made: &[(&str, Secret)]) -> std::io::Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    for (name, secret) in made {
        // Generated secrets are letters, digits and underscores: no quoting is needed.
        writeln!(file, "{} = \"{}\"", name.to_lowercase(), secret.expose())?;
    }
    file.sync_all()
}
