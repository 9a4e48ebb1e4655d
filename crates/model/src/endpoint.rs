//! From what people paste as a base URL to the one address that is called.

use reqwest::Url;

use crate::config::ConfigError;
use crate::provider::{Provider, Wire};

/// The address of the one route of `wire` under `base`, or under the provider's own address.
///
/// Whether the base ends in `/v1`, in a slash, or already in the route makes no difference. An
/// OpenAI base with another path (`https://host/openai/v1`) is taken as it is. A query is kept.
pub(crate) fn endpoint(
    provider: Provider,
    wire: Wire,
    base: Option<&str>,
) -> Result<Url, ConfigError> {
    let base = base.unwrap_or(provider.address());
    let refuse = |reason: String| ConfigError::BaseUrl {
        url: without_credentials(base),
        reason,
    };

    let mut url = Url::parse(base.trim()).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("it must begin with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(
            "a user name or password in it is not supported; use the API key".to_owned(),
        ));
    }
    let path = match wire {
        Wire::Messages => anthropic_path(url.path()),
        Wire::Chat => openai_path(url.path(), CHAT),
        Wire::Responses => openai_path(url.path(), RESPONSES),
    };
    url.set_path(&path);
    url.set_fragment(None);
    Ok(url)
}

const CHAT: &str = "/chat/completions";
const RESPONSES: &str = "/responses";

fn openai_path(base: &str, route: &str) -> String {
    let base = base.trim_end_matches('/');
    let base = [CHAT, RESPONSES]
        .iter()
        .find_map(|route| base.strip_suffix(route))
        .unwrap_or(base);
    let base = if base.is_empty() { "/v1" } else { base };
    format!("{base}{route}")
}

fn anthropic_path(base: &str) -> String {
    let base = base.trim_end_matches('/');
    let base = base.strip_suffix("/messages").unwrap_or(base);
    let base = base.strip_suffix("/v1").unwrap_or(base);
    format!("{base}/v1/messages")
}

/// An error message quotes the URL, and the URL may hold a password.
fn without_credentials(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wire: Wire, base: &str, expected: &str) {
        let url = endpoint(Provider::OpenAi, wire, Some(base)).unwrap();
        assert_eq!(url.as_str(), expected, "{wire:?} {base}");
    }

    #[test]
    fn an_openai_base_may_end_as_people_paste_it() {
        let check = |base, expected| check(Wire::Chat, base, expected);
        check("http://h:1/v1", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/", "http://h:1/v1/chat/completions");
        check("http://h:1", "http://h:1/v1/chat/completions");
        check("http://h:1/", "http://h:1/v1/chat/completions");
        check(" http://h:1//\n", "http://h:1/v1/chat/completions");
        check(
            "http://h:1/v1/chat/completions",
            "http://h:1/v1/chat/completions",
        );
        check("http://h:1/v1/responses", "http://h:1/v1/chat/completions");
        check(
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/api/v1/chat/completions",
        );
        check(
            "https://h/openai/v1?api-version=1",
            "https://h/openai/v1/chat/completions?api-version=1",
        );
    }

    #[test]
    fn an_anthropic_base_may_hold_the_version_or_not() {
        let check = |base, expected| check(Wire::Messages, base, expected);
        check("http://h:1", "http://h:1/v1/messages");
        check("http://h:1/", "http://h:1/v1/messages");
        check("http://h:1/v1", "http://h:1/v1/messages");
        check("http://h:1/v1/", "http://h:1/v1/messages");
        check("http://h:1/v1/messages", "http://h:1/v1/messages");
        check("https://h/proxy", "https://h/proxy/v1/messages");
    }

    #[test]
    fn without_a_base_the_provider_itself_is_called() {
        let url = |provider, wire| endpoint(provider, wire, None).unwrap().to_string();
        assert_eq!(
            url(Provider::OpenAi, Wire::Chat),
            "https://api.openai.com/v1/chat/completions"
        );
        assert_eq!(
            url(Provider::OpenAi, Wire::Responses),
            "https://api.openai.com/v1/responses"
        );
        assert_eq!(
            url(Provider::Anthropic, Wire::Messages),
            "https://api.anthropic.com/v1/messages"
        );
        assert_eq!(
            url(Provider::Google, Wire::Chat),
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
        );
    }

    #[test]
    fn an_unusable_base_is_refused_without_showing_a_password() {
        let error = |base| {
            endpoint(Provider::OpenAi, Wire::Chat, Some(base))
                .unwrap_err()
                .to_string()
        };
        assert!(
            error("localhost:11434").contains("must begin with http://"),
            "{}",
            error("localhost:11434")
        );
        assert!(error("ftp://h").contains("must begin with http://"));
        assert!(error("").contains("relative URL without a base"));
        assert!(!error("http://me:hunter2@h/v1").contains("hunter2"));
    }
}
