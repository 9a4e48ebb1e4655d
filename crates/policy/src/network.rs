//! The rules about hosts (OpenClaw contract §8.4, network; ruling 9 for what is denied).

use crate::Fault;
use crate::document::Network;
use crate::finding::{Findings, Violation};
use crate::host::{self, HostPattern, Target};

#[derive(Debug)]
pub(crate) struct NetworkRules {
    allow: Vec<HostPattern>,
    deny: Vec<HostPattern>,
}

impl NetworkRules {
    pub(crate) fn new(network: &Network, faults: &mut Vec<Fault>) -> Self {
        let mut read = |path: String, entry: &str| match HostPattern::new(entry) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                faults.push(Fault::new(None, path, message));
                None
            }
        };
        let mut allow = Vec::new();
        for (index, entry) in network.allow.iter().enumerate() {
            allow.extend(read(format!("network.allow[{index}]"), entry));
        }
        let mut deny = Vec::new();
        for (index, entry) in network.deny.iter().enumerate() {
            deny.extend(read(format!("network.deny[{index}]"), entry));
        }
        for (at, integration) in network.integrations.iter().enumerate() {
            for (index, entry) in integration.hosts.iter().enumerate() {
                let pattern = read(format!("network.integrations[{at}].hosts[{index}]"), entry);
                allow.extend(pattern.filter(|_| integration.on));
            }
        }
        Self { allow, deny }
    }

    /// Judges an address that is fetched from, or otherwise used.
    pub(crate) fn check(&self, address: &str, is_plain_fetch: bool, found: &mut Findings) {
        let Some(target) = host::target(address) else {
            return deny_invalid(address, found);
        };
        if self.check_denied(&target, found) {
            return;
        }
        if !self
            .allow
            .iter()
            .any(|pattern| pattern.matches(&target.host))
        {
            let host = target.host.to_string();
            let reason = format!("Host {host} is not on the allowlist");
            found.raise(Violation::new("network_not_allowlisted", &host, reason));
        } else if !is_plain_fetch {
            found.yellow(true);
        }
    }

    /// Denies what no approval opens, and says whether it did.
    pub(crate) fn check_denied(&self, target: &Target, found: &mut Findings) -> bool {
        let host = target.host.to_string();
        let reason = if target.has_user {
            format!("Address of {host} carries a user's credentials")
        } else if self
            .deny
            .iter()
            .any(|pattern| pattern.matches(&target.host))
        {
            format!("Host {host} is denied")
        } else {
            return false;
        };
        found.deny(Violation::new("network_denied", &host, reason));
        true
    }
}

/// Denies what is no address.
pub(crate) fn deny_invalid(address: &str, found: &mut Findings) {
    let reason = format!("Address {address} is not one that can be fetched");
    found.deny(Violation::new("network_invalid_url", address, reason));
}
