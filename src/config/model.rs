//! Which model thinks.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use stationmaster_credentials::Secret;
use stationmaster_model::Provider;

use super::source::Source;

/// Which model thinks.
#[derive(Debug, Clone)]
pub(crate) struct ModelSettings {
    pub provider: Provider,
    pub api_key: Option<Secret>,
    pub base_url: Option<String>,
    pub model: String,
    /// Asked where that one gives no answer, in this order.
    pub fallbacks: Vec<String>,
    pub by_role: HashMap<String, String>,
    /// For summaries.
    pub cheap: Option<String>,
    /// OpenAI's Responses API in place of chat completions.
    pub responses: bool,
    pub retry_attempts: u32,
    pub retry_delay_ms: u64,
    pub retry_max_delay_ms: u64,
    pub retry_jitter: f64,
    /// The longest silence within an answer.
    pub stall_seconds: u64,
    pub prices_file: Option<PathBuf>,
}

impl ModelSettings {
    /// A model is configured when there is a key, a base URL, or `LLM_PROVIDER=demo`.
    pub(super) fn read(source: &Source) -> Result<Option<Self>> {
        let named = either(source, "LLM_MODEL_DEFAULT", "OPENAI_MODEL_DEFAULT");
        let Some(provider) = provider(source, named.as_deref())? else {
            return Ok(None);
        };
        if provider == Provider::Demo {
            return Ok(Some(Self::demo()));
        }
        let [api_key, base_url] = account(source, provider);
        if api_key.is_none() && base_url.is_none() {
            let [key, url] = variables(provider);
            bail!(
                "the model provider is {provider}, but neither its API key nor its base URL is set ({key}, {url})"
            );
        }
        let bare = |model: &str| provider.bare(model).to_owned();
        let fallbacks = either(source, "LLM_MODEL_FALLBACK", "OPENAI_MODEL_FALLBACK");
        let fallbacks = fallbacks.unwrap_or_default();
        Ok(Some(Self {
            provider,
            api_key: api_key.as_deref().and_then(Secret::new),
            base_url,
            model: bare(named.as_deref().unwrap_or(provider.default_model())),
            fallbacks: items(&fallbacks).map(bare).collect(),
            cheap: either(source, "LLM_MODEL_CHEAP", "OPENAI_MODEL_CHEAP").map(|it| bare(&it)),
            by_role: by_role(source, bare)?,
            responses: responses(source, provider)?,
            retry_attempts: source.seed_number("RETRY_ATTEMPTS", 3)?,
            retry_delay_ms: source.seed_number("RETRY_DELAY_MS", 1000)?,
            retry_max_delay_ms: source.seed_number("RETRY_MAX_DELAY_MS", 30_000)?,
            retry_jitter: source.seed_number("RETRY_JITTER", 0.1)?,
            stall_seconds: source.seed_number("MODEL_STALL_SECONDS", 30)?,
            prices_file: source.text("STATIONMASTER_PRICES").map(PathBuf::from),
        }))
    }

    /// The scripted model that needs neither key nor network.
    pub(super) fn demo() -> Self {
        Self {
            provider: Provider::Demo,
            api_key: None,
            base_url: None,
            model: stationmaster_model::DEMO_MODEL.to_owned(),
            fallbacks: Vec::new(),
            by_role: HashMap::new(),
            cheap: None,
            responses: false,
            retry_attempts: 1,
            retry_delay_ms: 0,
            retry_max_delay_ms: 0,
            retry_jitter: 0.0,
            stall_seconds: 30,
            prices_file: None,
        }
    }

    /// The fallback models in one text; `None` without any.
    pub(crate) fn fallbacks_shown(&self) -> Option<String> {
        (!self.fallbacks.is_empty()).then(|| self.fallbacks.join(", "))
    }
}

/// The one that was named, else the prefix of the model's name, else the first with a key or an address.
fn provider(source: &Source, model: Option<&str>) -> Result<Option<Provider>> {
    if let Some(name) = source.text("LLM_PROVIDER") {
        return name.parse().context("LLM_PROVIDER").map(Some);
    }
    let prefix = model.and_then(|model| model.split_once('/'));
    if let Some(provider) = prefix.and_then(|(prefix, _)| prefix.parse().ok()) {
        return Ok(Some(provider));
    }
    let has_account = |provider: &Provider| account(source, *provider).iter().any(Option::is_some);
    Ok(Provider::ALL.into_iter().find(has_account))
}

/// The variables of a provider's key and address.
fn variables(provider: Provider) -> [String; 2] {
    let name = provider.to_string().to_uppercase();
    [format!("{name}_API_KEY"), format!("{name}_BASE_URL")]
}

fn account(source: &Source, provider: Provider) -> [Option<String>; 2] {
    if provider == Provider::Demo {
        return [None, None];
    }
    let [key, url] = variables(provider).map(|name| source.text(&name));
    // What Google's own programs call it.
    let other = || source.text("GEMINI_API_KEY");
    match provider {
        Provider::Google => [key.or_else(other), url],
        _ => [key, url],
    }
}

fn either(source: &Source, name: &str, older: &str) -> Option<String> {
    source.text(name).or_else(|| source.text(older))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// `LLM_MODEL_ROLES=lead=gpt-4.1,writer=gpt-4o`
fn by_role(source: &Source, bare: impl Fn(&str) -> String) -> Result<HashMap<String, String>> {
    const NAME: &str = "LLM_MODEL_ROLES";
    let text = source.text(NAME).unwrap_or_default();
    let mut models = HashMap::new();
    for item in items(&text) {
        let pair = item
            .split_once('=')
            .map(|(role, model)| (role.trim(), model.trim()));
        let Some((role, model)) =
            pair.filter(|(role, model)| !role.is_empty() && !model.is_empty())
        else {
            bail!("{NAME}: {item:?} is not role=model, such as lead=gpt-4.1");
        };
        if models.insert(role.to_owned(), bare(model)).is_some() {
            bail!("{NAME}: {role} has two models");
        }
    }
    Ok(models)
}

fn responses(source: &Source, provider: Provider) -> Result<bool> {
    const NAME: &str = "OPENAI_API";
    match source.text(NAME).as_deref() {
        None | Some("chat") => Ok(false),
        Some("responses") if provider == Provider::OpenAi => Ok(true),
        Some("responses") => {
            bail!("{NAME}=responses: only the provider openai has it, not {provider}")
        }
        Some(other) => bail!("{NAME}={other} is neither chat nor responses"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Option<ModelSettings> {
        ModelSettings::read(&Source::of(pairs)).unwrap()
    }

    fn refused(pairs: &[(&str, &str)]) -> String {
        format!("{:#}", ModelSettings::read(&Source::of(pairs)).unwrap_err())
    }

    #[test]
    fn a_provider_is_named_or_seen_by_what_it_has() {
        let provider = |pairs: &[(&str, &str)]| read(pairs).map(|it| (it.provider, it.model));
        assert_eq!(provider(&[]), None);
        assert_eq!(provider(&[("LLM_MODEL_DEFAULT", "gpt-4o")]), None);
        for (pairs, expected, model) in [
            (
                vec![("OPENAI_API_KEY", "k")],
                Provider::OpenAi,
                "gpt-4o-mini",
            ),
            (
                vec![("GROQ_API_KEY", "k"), ("LLM_MODEL_DEFAULT", "m")],
                Provider::Groq,
                "m",
            ),
            (
                vec![("GEMINI_API_KEY", "k")],
                Provider::Google,
                "gemini-2.5-flash",
            ),
            (
                vec![
                    ("XAI_API_KEY", "k"),
                    ("OPENAI_API_KEY", "k"),
                    ("LLM_MODEL_DEFAULT", "xai/grok-2"),
                ],
                Provider::Xai,
                "grok-2",
            ),
            (
                vec![
                    ("LLM_PROVIDER", "openrouter"),
                    ("OPENROUTER_API_KEY", "k"),
                    ("LLM_MODEL_DEFAULT", "openai/gpt-4o"),
                ],
                Provider::OpenRouter,
                "openai/gpt-4o",
            ),
        ] {
            assert_eq!(
                provider(&pairs),
                Some((expected, model.to_owned())),
                "{pairs:?}"
            );
        }
        let why = refused(&[("LLM_PROVIDER", "mistral"), ("OPENAI_API_KEY", "k")]);
        assert!(why.contains("MISTRAL_API_KEY"), "{why}");
    }

    #[test]
    fn fallbacks_and_models_of_roles_are_lists() {
        let settings = read(&[
            ("OPENAI_API_KEY", "k"),
            ("LLM_MODEL_FALLBACK", "openai/gpt-4o, gpt-4.1 ,"),
            ("LLM_MODEL_ROLES", "lead = gpt-4.1, writer=openai/gpt-4o"),
        ])
        .unwrap();
        assert_eq!(settings.fallbacks, ["gpt-4o", "gpt-4.1"]);
        assert_eq!(settings.fallbacks_shown().unwrap(), "gpt-4o, gpt-4.1");
        assert_eq!(settings.by_role["lead"], "gpt-4.1");
        assert_eq!(settings.by_role["writer"], "gpt-4o");
        for (name, value, part) in [
            ("LLM_MODEL_ROLES", "lead", "\"lead\" is not role=model"),
            ("LLM_MODEL_ROLES", "a=b,a=c", "a has two models"),
            ("OPENAI_API", "chta", "neither chat nor responses"),
        ] {
            let why = refused(&[("OPENAI_API_KEY", "k"), (name, value)]);
            assert!(why.contains(part), "{why}");
        }
    }
}
