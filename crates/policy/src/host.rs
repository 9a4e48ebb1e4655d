//! Where an address leads: the host of a URL as a browser would read it, and whether it is listed
//! (OpenClaw contract §8.4, network).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// A host as it is reached: lower case, in ASCII, an address as an address whatever it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Name(String),
    Address(IpAddr),
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// What an address names.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) host: Place,
    pub(crate) has_user: bool,
}

/// The longest address that is looked at.
const LONGEST: usize = 8192;

/// Reads a URL, or a host alone where a tool asks for one. `None` is no address that a tool may fetch.
pub(crate) fn target(written: &str) -> Option<Target> {
    if written.len() > LONGEST || written.chars().any(char::is_control) {
        return None;
    }
    let url = if written.contains("://") {
        Url::parse(written).ok()?
    } else {
        Url::parse(&format!("http://{written}")).ok()?
    };
    if !matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "ftp") {
        return None;
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    Some(Target {
        host: place(&url.host()?),
        has_user,
    })
}

/// Whether a tool that asks for a URL was given one, if only without its scheme. A lone word is
/// none, but for the name that every machine has for itself.
pub(crate) fn may_be_url(written: &str) -> bool {
    if written.contains("://") {
        return true;
    }
    match target(written).map(|target| target.host) {
        Some(Place::Name(name)) => name.contains('.') || name == "localhost",
        Some(Place::Address(_)) => true,
        None => false,
    }
}

fn place(host: &Host<&str>) -> Place {
    match host {
        Host::Domain(name) => Place::Name(name.trim_end_matches('.').to_owned()),
        Host::Ipv4(address) => Place::Address(IpAddr::V4(*address)),
        Host::Ipv6(address) => Place::Address(plain(*address)),
    }
}

/// An address of version 4 in the clothes of version 6: mapped, compatible, translated (64:ff9b::/96) or
/// tunnelled (2002::/16).
fn plain(address: Ipv6Addr) -> IpAddr {
    let parts = address.segments();
    let last = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            last(high, low)
        }
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => last(high, low),
        [0x2002, high, low, ..] => last(high, low),
        _ => IpAddr::V6(address),
    }
}

/// An entry of a list of hosts.
#[derive(Debug)]
pub(crate) enum HostPattern {
    Exact(Place),
    /// Its subdomains, not itself; with the dot.
    Below(String),
    Range(IpAddr, u8),
}

impl HostPattern {
    /// Reads an entry; says what is wrong with it otherwise.
    pub(crate) fn new(written: &str) -> Result<Self, String> {
        let right = "a host, `*.` and a host, an address, or a range such as 10.0.0.0/8";
        let wrong = || format!("is {written:?}; it must be {right}");
        if let Some((address, length)) = written.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| wrong())?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = length.parse().ok().filter(|length| *length <= most);
            return Ok(Self::Range(address, length.ok_or_else(wrong)?));
        }
        if let Ok(address) = written.parse::<IpAddr>() {
            return Ok(Self::Exact(Place::Address(address)));
        }
        let name = written.strip_prefix("*.").unwrap_or(written);
        let is_name = !name.is_empty()
            && name.split('.').all(|label| !label.is_empty())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        match Host::parse(name) {
            Ok(Host::Domain(host)) if is_name && written.starts_with("*.") => {
                Ok(Self::Below(format!(".{host}")))
            }
            Ok(Host::Domain(host)) if is_name => Ok(Self::Exact(Place::Name(host))),
            _ => Err(wrong()),
        }
    }

    pub(crate) fn matches(&self, host: &Place) -> bool {
        match (self, host) {
            (Self::Exact(known), host) => known == host,
            (Self::Below(suffix), Place::Name(name)) => name.ends_with(suffix.as_str()),
            (Self::Range(network, length), Place::Address(address)) => {
                in_range(*network, *length, *address)
            }
            _ => false,
        }
    }
}

fn in_range(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(length);
    // A range of length 0 would shift out of the number.
    network.checked_shr(shift) == address.checked_shr(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(written: &str) -> Option<String> {
        target(written).map(|target| target.host.to_string())
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for written in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xA9FEA9FE/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://169.254.43518/",
            "169.254.169.254/latest",
        ] {
            assert_eq!(
                reached(written).as_deref(),
                Some("169.254.169.254"),
                "{written}"
            );
        }
    }

    #[test]
    fn a_name_is_one_however_it_is_written() {
        for (written, expected) in [
            ("https://API.GitHub.com/x", Some("api.github.com")),
            ("https://api.github.com./x", Some("api.github.com")),
            (
                "https://api.github.com.evil.example/",
                Some("api.github.com.evil.example"),
            ),
            ("https://bücher.example/", Some("xn--bcher-kva.example")),
            ("https://ｇithub.com/", Some("github.com")),
            ("https://github.com@evil.example/", Some("evil.example")),
            ("gopher://github.com/", None),
            ("file:///etc/passwd", None),
            ("https://", None),
            ("https://a b/", None),
        ] {
            assert_eq!(reached(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn an_entry_holds_what_it_says() {
        let holds = |entry: &str, url: &str| {
            HostPattern::new(entry)
                .unwrap()
                .matches(&target(url).unwrap().host)
        };
        assert!(holds("*.slack.com", "https://hooks.slack.com"));
        assert!(!holds("*.slack.com", "https://slack.com"));
        assert!(!holds("*.slack.com", "https://evilslack.com"));
        assert!(holds("169.254.0.0/16", "http://169.254.1.1"));
        assert!(holds("0.0.0.0/0", "http://8.8.8.8"));
        assert!(!holds("fe80::/10", "http://[fec0::1]"));
        assert!(holds("fe80::/10", "http://[febf::1]"));
        for wrong in [
            "",
            "*",
            "a b",
            "https://x.example",
            "10.0.0.0/33",
            "*.*.example",
            "x..y",
            "x/y",
        ] {
            assert!(HostPattern::new(wrong).is_err(), "{wrong}");
        }
    }
}
