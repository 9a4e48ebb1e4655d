//! Finding a model in a table by the name a provider gives it.

/// The names under which `model` may stand in a table, the most exact first.
///
/// A provider's prefix is dropped segment by segment (`openrouter/openai/gpt-4o`), and a suffix at
/// a `-` boundary (`gpt-4o-mini-2024-07-18`). So `gpt-4o-mini` is found before `gpt-4o`, and
/// `gpt-4.1` never as `gpt-4`.
pub(crate) fn candidates(model: &str) -> impl Iterator<Item = &str> {
    let unprefixed = std::iter::successors(Some(model), |name| {
        name.split_once('/').map(|(_, rest)| rest)
    });
    unprefixed.flat_map(|name| {
        std::iter::successors(Some(name), |name| {
            name.rsplit_once('-').map(|(start, _)| start)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_shorter_at_dashes_and_lose_their_prefixes() {
        let names: Vec<_> = candidates("or/openai/gpt-4o-mini").collect();
        assert_eq!(
            names,
            [
                "or/openai/gpt-4o-mini",
                "or/openai/gpt-4o",
                "or/openai/gpt",
                "openai/gpt-4o-mini",
                "openai/gpt-4o",
                "openai/gpt",
                "gpt-4o-mini",
                "gpt-4o",
                "gpt"
            ]
        );
    }
}
