//! How much a model can read at once.

use crate::names;

const UNKNOWN: u64 = 128_000;

/// Tokens by model family; a family covers every name that continues it after a `-`.
const WINDOWS: [(&str, u64); 9] = [
    ("gpt-4", 8_192),
    ("gpt-4-turbo", 128_000),
    ("gpt-3.5-turbo", 16_385),
    ("claude", 200_000),
    ("gemini-2.0-flash", 1_000_000),
    ("gemini-2.5-flash", 1_000_000),
    ("gemini-1.5-pro", 2_000_000),
    // The dated previews of gpt-4-turbo do not bear its name.
    ("gpt-4-1106", 128_000),
    ("gpt-4-0125", 128_000),
];

/// The context window of `model` in tokens; 128,000 when the model is not known.
#[must_use]
pub fn context_window(model: &str) -> u64 {
    let model = model.to_ascii_lowercase();
    let known = names::candidates(&model)
        .find_map(|name| WINDOWS.iter().find(|(family, _)| *family == name));
    known.map_or(UNKNOWN, |(_, tokens)| *tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_model_family() {
        for (model, tokens) in [
            ("gpt-4", 8_192),
            ("gpt-4-0613", 8_192),
            ("gpt-4-turbo-2024-04-09", 128_000),
            ("gpt-4-1106-preview", 128_000),
            ("gpt-4o", 128_000),
            ("gpt-4o-mini-2024-07-18", 128_000),
            ("gpt-4.1-mini", 128_000),
            ("gpt-3.5-turbo", 16_385),
            ("claude-3-haiku-20240307", 200_000),
            ("anthropic/claude-sonnet-4", 200_000),
            ("gemini-2.5-flash", 1_000_000),
            ("gemini-1.5-pro-002", 2_000_000),
            ("llama3.2", 128_000),
            ("", 128_000),
        ] {
            assert_eq!(context_window(model), tokens, "{model}");
        }
    }
}
