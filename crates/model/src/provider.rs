//! Who answers, where, and in which wire format.

use std::fmt;
use std::str::FromStr;

use crate::config::ConfigError;
use crate::demo;

/// Who answers. Most speak OpenAI's format at an address of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenAI, and with a base URL any local or compatible server.
    OpenAi,
    Anthropic,
    Google,
    Xai,
    Groq,
    Mistral,
    OpenRouter,
    /// A scripted model inside the program: no network and no key, the same answer every time.
    Demo,
}

/// What a call looks like as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's messages.
    Messages,
}

impl Provider {
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Google,
        Self::Xai,
        Self::Groq,
        Self::Mistral,
        Self::OpenRouter,
        Self::Demo,
    ];

    /// The model to use when the configuration names none.
    #[must_use]
    pub fn default_model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o-mini",
            Self::Anthropic => "claude-sonnet-4-20250514",
            Self::Google => "gemini-2.5-flash",
            Self::Xai => "grok-2",
            Self::Groq => "llama-3.3-70b-versatile",
            Self::Mistral => "mistral-large-latest",
            Self::OpenRouter => "openai/gpt-4o-mini",
            Self::Demo => demo::MODEL,
        }
    }

    /// The model's name without this provider's own prefix (agent-runtime §1: `model` or
    /// `provider/model`). Any other prefix is part of the name, as OpenRouter's are.
    #[must_use]
    pub fn bare(self, model: &str) -> &str {
        match model.split_once('/') {
            Some((prefix, rest)) if prefix.parse() == Ok(self) && !rest.is_empty() => rest,
            _ => model,
        }
    }

    /// Where the provider's API is; a base for [`endpoint`](crate::endpoint::endpoint).
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Demo => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Google => "https://generativelanguage.googleapis.com/v1beta/openai",
            Self::Xai => "https://api.x.ai/v1",
            Self::Groq => "https://api.groq.com/openai/v1",
            Self::Mistral => "https://api.mistral.ai/v1",
            Self::OpenRouter => "https://openrouter.ai/api/v1",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Xai => "xai",
            Self::Groq => "groq",
            Self::Mistral => "mistral",
            Self::OpenRouter => "openrouter",
            Self::Demo => "demo",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let name = text.trim();
        Self::ALL
            .into_iter()
            .find(|provider| provider.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| ConfigError::UnknownProvider(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_names_survive_a_round_trip() {
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert_eq!(" OpenAI ".parse(), Ok(Provider::OpenAi));
    }

    #[test]
    fn an_unknown_provider_is_answered_with_the_choices() {
        let error = "gemini".parse::<Provider>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no model provider \"gemini\"; choose openai, anthropic, google, xai, groq, mistral, openrouter or demo"
        );
    }

    #[test]
    fn only_a_providers_own_prefix_is_no_part_of_a_name() {
        assert_eq!(Provider::OpenAi.bare("openai/gpt-4o"), "gpt-4o");
        assert_eq!(Provider::OpenRouter.bare("openai/gpt-4o"), "openai/gpt-4o");
        assert_eq!(
            Provider::OpenRouter.bare("OpenRouter/openai/gpt-4o"),
            "openai/gpt-4o"
        );
        assert_eq!(Provider::Groq.bare("groq/"), "groq/");
    }
}
