//! From what people paste as a base URL to the one address that is called.

use reqwest::Url;

use crate::config::{ConfigError, Provider};

const OPENAI: &str = "https://api.openai.com/v1";
const ANTHROPIC: &str = "https://api.anthropic.com";

/// The address of `provider`'s one route under `base`, or under its own address.
///
/// Whether the base ends in `/v1`, in a slash, or already in the route makes no difference. An
/// OpenAI base with another path (`https://host/openai/v1`) is taken as it is. A query is kept.
pub(crate) fn endpoint(provider: Provider, base: Option<&str>) -> Result<Url, ConfigError> {
    let base = base.unwrap_or(match provider {
        Provider::Anthropic => ANTHROPIC,
        Provider::OpenAi | Provider::Demo => OPENAI,
    });
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
    let path = match provider {
        Provider::Anthropic => anthropic_path(url.path()),
        Provider::OpenAi | Provider::Demo => openai_path(url.path()),
    };
    url.set_path(&path);
    url.set_fragment(None);
    Ok(url)
}

fn openai_path(base: &str) -> String {
    const ROUTE: &str = "/chat/completions";
    let base = base.trim_end_matches('/');
    let base = base.strip_suffix(ROUTE).unwrap_or(base);
    let base = if base.is_empty() { "/v1" } else { base };
    format!("{base}{ROUTE}")
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

    fn check(provider: Provider, base: &str, expected: &str) {
        assert_eq!(
            endpoint(provider, Some(base)).unwrap().as_str(),
            expected,
            "{provider} {base}"
        );
    }

    #[test]
    fn an_openai_base_may_end_as_people_paste_it() {
        let check = |base, expected| check(Provider::OpenAi, base, expected);
        check("http://h:1/v1", "http://h:1/v1/chat/completions");
        check("http://h:1/v1/", "http://h:1/v1/chat/completions");
        check("http://h:1", "http://h:1/v1/chat/completions");
        check("http://h:1/", "http://h:1/v1/chat/completions");
        check(" http://h:1//\n", "http://h:1/v1/chat/completions");
        check(
            "http://h:1/v1/chat/completions",
            "http://h:1/v1/chat/completions",
        );
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
        let check = |base, expected| check(Provider::Anthropic, base, expected);
        check("http://h:1", "http://h:1/v1/messages");
        check("http://h:1/", "http://h:1/v1/messages");
        check("http://h:1/v1", "http://h:1/v1/messages");
        check("http://h:1/v1/", "http://h:1/v1/messages");
        check("http://h:1/v1/messages", "http://h:1/v1/messages");
        check("https://h/proxy", "https://h/proxy/v1/messages");
    }

    #[test]
    fn without_a_base_the_provider_itself_is_called() {
        let url = |provider| endpoint(provider, None).unwrap().to_string();
        assert_eq!(
            url(Provider::OpenAi),
            "https://api.openai.com/v1/chat/completions"
        );
        assert_eq!(
            url(Provider::Anthropic),
            "https://api.anthropic.com/v1/messages"
        );
    }

    #[test]
    fn an_unusable_base_is_refused_without_showing_a_password() {
        let error = |base| {
            endpoint(Provider::OpenAi, Some(base))
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
