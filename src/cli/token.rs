//! `stationmaster token mint`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use stationmaster_credentials::{Minter, TokenKey};
use stationmaster_kernel::{Handle, TenantId};

use super::options::DataOptions;
use crate::console;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Print a signed token (JWT); needs only the secret and may run beside the server
    Mint(Mint),
}

#[derive(Debug, Args)]
pub(super) struct Mint {
    /// What the token's holder is
    #[arg(long, value_enum)]
    role: Role,
    /// Who it is for: the agent's role name with --role agent, else a name for the record
    #[arg(long)]
    sub: String,
    /// The tenant of an agent's token
    #[arg(long, value_name = "USER", default_value = "default")]
    user_id: String,
    /// How long it is good: 90s, 30m, 24h, 7d
    #[arg(long, default_value = "24h", value_parser = duration)]
    ttl: Duration,
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Admin,
    Operator,
    Developer,
    Observer,
    Agent,
}

impl Token {
    pub(super) fn run(self) -> Result<()> {
        let Self::Mint(mint) = self;
        mint.run()
    }
}

impl Mint {
    fn run(self) -> Result<()> {
        let settings = self.data.settings()?;
        let secrets = settings.secrets()?;
        if secrets.admin_token_is_new {
            // Its first start will not show it any more.
            console::note(format_args!(
                "secrets were made in {}; the operator's token (MC_ADMIN_TOKEN) for it is {}",
                settings.data_dir.display(),
                secrets.admin_token.expose()
            ));
        }
        let token = if self.role == Role::Agent {
            let tenant: TenantId = self.user_id.parse().context("--user-id")?;
            let handle: Handle = self.sub.parse().context("--sub")?;
            let key = TokenKey::new(&secrets.agent_jwt, secrets.algorithm);
            Minter::new(key)
                .with_lifetime(self.ttl)
                .mint(tenant.as_str(), handle.as_str())?
        } else {
            if self.sub.trim().is_empty() {
                bail!("--sub must not be empty");
            }
            let secret = secrets.admin_jwt.as_ref().unwrap_or(&secrets.agent_jwt);
            let now = now();
            TokenKey::new(secret, secrets.algorithm).mint(&json!({
                "sub": self.sub,
                "role": self.role.to_possible_value().map(|value| value.get_name().to_owned()),
                "iat": now,
                "exp": now + self.ttl.as_secs(),
            }))?
        };
        console::line(format_args!("{token}"));
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token's dates are the wall clock's"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 90s, 30m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .filter(|&s| s > 0 && s <= 3_153_600_000)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}
