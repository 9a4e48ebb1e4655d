//! `stationmaster standup`

use anyhow::{Context, Result};
use clap::Args;
use stationmaster_utilities::{Credential, standup};

use super::options::{UtilityOptions, wait_for};
use crate::console;

/// Has a Mission Control backend sum up the day so far: one user's, or with the internal token everybody's.
#[derive(Debug, Args)]
pub(super) struct Standup {
    /// Whose day; all users' without it, which takes INTERNAL_API_TOKEN [env: USER_ID]
    #[arg(long, value_name = "USER")]
    user_id: Option<String>,
    #[command(flatten)]
    utility: UtilityOptions,
    /// Where midnight is, an IANA name [env: STANDUP_TIMEZONE] [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
}

impl Standup {
    pub(super) fn run(self) -> Result<()> {
        let settings = self.utility.settings()?;
        let user_id = settings.user_id(self.user_id);
        let timezone = settings.timezone(self.timezone);
        let backend = self.utility.backend(&settings)?;
        let role = settings.agent_role(self.utility.role.clone());
        let (token, internal);
        let who = match &user_id {
            Some(user_id) => {
                token = settings.minter()?.mint(user_id, &role)?;
                Credential::Agent(&token)
            }
            None => {
                internal = settings.internal_token().context(
                    "a standup is one user's or everybody's: set USER_ID (or give --user-id) for one, or \
                     INTERNAL_API_TOKEN for all",
                )?;
                Credential::Internal(&internal)
            }
        };
        wait_for(async {
            let answer = standup(&backend, who, user_id.as_deref(), &timezone)
                .await
                .with_context(|| format!("the standup failed at {}", backend.address()))?;
            console::line(format_args!("{answer}"));
            console::line(format_args!("standup_ok"));
            Ok(())
        })
    }
}
