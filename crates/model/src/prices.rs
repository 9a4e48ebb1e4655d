//! What calls cost: one table, exact to the millionth of a dollar, always rounded up.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use toml::Spanned;

use crate::names;
use crate::types::Usage;

const BUILT_IN: &str = include_str!("prices.toml");

/// A million: tokens in the unit of prices, and micro-dollars in a dollar.
const MILLION: u64 = 1_000_000;

/// The price of each model. Names are looked up without regard to case, provider prefixes and
/// dated suffixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    models: HashMap<String, Price>,
}

/// Micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price {
    input: u64,
    output: u64,
    cached: u64,
    written: u64,
}

/// What one call costs, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    pub input_microusd: u64,
    pub output_microusd: u64,
}

impl Cost {
    #[must_use]
    pub fn total_microusd(self) -> u64 {
        self.input_microusd.saturating_add(self.output_microusd)
    }
}

/// Why a price table cannot be used: the line, what stands there, and what is wrong with it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("model prices, line {line} ({text}): {reason}")]
pub struct PriceError {
    /// Counted from 1.
    pub line: usize,
    /// The line, cut when it is long.
    pub text: String,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    input: Spanned<f64>,
    output: Spanned<f64>,
    cached: Option<Spanned<f64>>,
    written: Option<Spanned<f64>>,
}

impl Prices {
    /// The built-in table with the entries of `file` added to it or put in place of its own.
    ///
    /// `file` is TOML with a line per model, prices in US dollars per million tokens:
    /// `"gpt-4o" = { input = 2.5, output = 10, cached = 1.25, written = 2.5 }`, where `cached` and
    /// `written` (input read from and put into the provider's cache) may be left out.
    ///
    /// # Errors
    ///
    /// When the text is not such a table, or a price is negative, too large or finer than a
    /// millionth of a dollar.
    pub fn from_toml(file: &str) -> Result<Self, PriceError> {
        let mut prices = Self::default();
        prices.models.extend(read(file)?);
        Ok(prices)
    }

    /// The price of a call without cached tokens; nothing for a model that is not in the table.
    #[must_use]
    pub fn cost(&self, model: &str, input_tokens: u64, output_tokens: u64) -> Cost {
        self.cost_of(
            model,
            &Usage {
                input_tokens,
                output_tokens,
                ..Usage::default()
            },
        )
    }

    /// The price of a call, its cached and written tokens at their own price where the table has one.
    #[must_use]
    pub fn cost_of(&self, model: &str, usage: &Usage) -> Cost {
        let Some(price) = self.find(model) else {
            return Cost::default();
        };
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let fresh = usage.input_tokens - cached - written;
        let input = product(fresh, price.input)
            + product(cached, price.cached)
            + product(written, price.written);
        Cost {
            input_microusd: round_up(input),
            output_microusd: round_up(product(usage.output_tokens, price.output)),
        }
    }

    /// What a call of so many tokens costs at most, in millionths of a US dollar, wherever the provider
    /// takes its input from.
    #[must_use]
    pub fn worst(&self, model: &str, input_tokens: u64, output_tokens: u64) -> u64 {
        let usage = |cached_tokens, cache_write_tokens| Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            ..Usage::default()
        };
        let ways = [usage(0, 0), usage(input_tokens, 0), usage(0, input_tokens)];
        let cost = |usage| self.cost_of(model, usage).total_microusd();
        ways.iter().map(cost).max().unwrap_or_default()
    }

    /// Whether calls to `model` have a price, which may be nothing.
    #[must_use]
    pub fn knows(&self, model: &str) -> bool {
        self.find(model).is_some()
    }

    fn find(&self, model: &str) -> Option<Price> {
        let model = model.to_lowercase();
        names::candidates(&model)
            .find_map(|name| self.models.get(name))
            .copied()
    }
}

impl Default for Prices {
    /// The built-in table.
    fn default() -> Self {
        // The table is part of the program, and a test reads it: the empty table never comes about.
        Self {
            models: read(BUILT_IN).unwrap_or_default(),
        }
    }
}

/// Cannot overflow: both are 64 bits wide, and so is the sum of two of them with room to spare for
/// any price that [`micro_dollars`] lets through.
fn product(tokens: u64, price: u64) -> u128 {
    u128::from(tokens) * u128::from(price)
}

fn round_up(microusd_by_million: u128) -> u64 {
    u64::try_from(microusd_by_million.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
}

fn read(file: &str) -> Result<HashMap<String, Price>, PriceError> {
    let entries: BTreeMap<String, Entry> = toml::from_str(file).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        fault(file, offset, error.message().to_owned())
    })?;
    entries
        .into_iter()
        .map(|(model, entry)| Ok((model.to_lowercase(), price(file, &model, &entry)?)))
        .collect()
}

fn price(file: &str, model: &str, entry: &Entry) -> Result<Price, PriceError> {
    let exact = |name: &str, dollars: &Spanned<f64>| {
        micro_dollars(*dollars.get_ref()).map_err(|reason| {
            fault(
                file,
                dollars.span().start,
                format!("the {name} price of {model} {reason}"),
            )
        })
    };
    let input = exact("input", &entry.input)?;
    let or_input = |name: &str, price: &Option<Spanned<f64>>| {
        let price = price.as_ref();
        price.map_or(Ok(input), |price| exact(name, price))
    };
    Ok(Price {
        input,
        output: exact("output", &entry.output)?,
        cached: or_input("cached", &entry.cached)?,
        written: or_input("written", &entry.written)?,
    })
}

/// Dollars as whole micro-dollars. TOML numbers are binary fractions, so 0.15 is only near 0.15;
/// the nearest micro-dollar is what was written unless more than six decimals were.
fn micro_dollars(dollars: f64) -> Result<u64, &'static str> {
    const HIGHEST: f64 = 1_000_000.0;
    if !(0.0..=HIGHEST).contains(&dollars) {
        return Err("must be between 0 and 1000000 dollars");
    }
    let exact = dollars * MILLION as f64;
    let whole = exact.round();
    if (exact - whole).abs() > 0.001 {
        return Err("has more than six decimals");
    }
    Ok(whole as u64)
}

fn fault(file: &str, offset: usize, reason: String) -> PriceError {
    let line = file
        .get(..offset)
        .map_or(1, |before| before.matches('\n').count() + 1);
    let text: String = file
        .lines()
        .nth(line - 1)
        .unwrap_or_default()
        .trim()
        .chars()
        .take(80)
        .collect();
    PriceError { line, text, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(model: &str, input_tokens: u64, output_tokens: u64, expected: (u64, u64)) {
        let cost = Prices::default().cost(model, input_tokens, output_tokens);
        assert_eq!(
            (cost.input_microusd, cost.output_microusd),
            expected,
            "{model}"
        );
    }

    #[test]
    fn the_built_in_table_is_readable() {
        let prices = read(BUILT_IN).unwrap();
        assert_eq!(prices.len(), 24);
        assert_eq!(
            prices["gpt-4o-mini"],
            Price {
                input: 150_000,
                output: 600_000,
                cached: 150_000,
                written: 150_000
            }
        );
        assert_eq!(prices["gemini-2.5-flash"].input, 75_000);
    }

    #[test]
    fn a_million_tokens_cost_the_listed_price() {
        check("gpt-4o", 1_000_000, 1_000_000, (2_500_000, 10_000_000));
        check(
            "claude-3-opus",
            1_000_000,
            1_000_000,
            (15_000_000, 75_000_000),
        );
        check("grok-2", 1_000_000, 1_000_000, (2_000_000, 10_000_000));
    }

    #[test]
    fn the_contracts_example_comes_out() {
        check("gpt-4o-mini", 200, 50, (30, 30));
    }

    #[test]
    fn parts_of_a_micro_dollar_are_rounded_up() {
        check("gpt-4o-mini", 1, 1, (1, 1));
        check("gpt-4o-mini", 7, 2, (2, 2));
        check("gpt-4o-mini", 0, 0, (0, 0));
    }

    #[test]
    fn a_name_is_found_by_its_longest_known_start() {
        check("gpt-4o-mini-2024-07-18", 1_000_000, 0, (150_000, 0));
        check("gpt-4o-2024-08-06", 1_000_000, 0, (2_500_000, 0));
        check("claude-sonnet-4-20250514", 1_000_000, 0, (3_000_000, 0));
        check("claude-3-5-haiku-latest", 1_000_000, 0, (800_000, 0));
        check("gpt-4-0613", 1_000_000, 0, (30_000_000, 0));
        check("openai/gpt-4.1-nano", 1_000_000, 0, (100_000, 0));
        check(
            "openrouter/anthropic/claude-3.5-sonnet",
            1_000_000,
            0,
            (3_000_000, 0),
        );
        check("GPT-4o", 1_000_000, 0, (2_500_000, 0));
    }

    #[test]
    fn what_is_not_listed_costs_nothing() {
        for model in [
            "gpt-4.2", "gpt-4.1x", "gpt-4ox", "gpt", "llama3", "", "demo",
        ] {
            check(model, 1_000_000, 1_000_000, (0, 0));
        }
        assert!(Prices::default().knows("demo"));
        assert!(!Prices::default().knows("gpt-4.2"));
    }

    #[test]
    fn cached_tokens_cost_like_others_unless_the_table_knows_better() {
        let usage = Usage {
            input_tokens: 1_000_000,
            cached_tokens: 400_000,
            ..Usage::default()
        };
        assert_eq!(
            Prices::default().cost_of("gpt-4o", &usage).input_microusd,
            2_500_000
        );
        let prices =
            Prices::from_toml("\"gpt-4o\" = { input = 2.5, output = 10, cached = 1.25 }").unwrap();
        assert_eq!(prices.cost_of("gpt-4o", &usage).input_microusd, 2_000_000);
        let nonsense = Usage {
            input_tokens: 100,
            cached_tokens: u64::MAX,
            ..Usage::default()
        };
        assert_eq!(prices.cost_of("gpt-4o", &nonsense).input_microusd, 125);
    }

    #[test]
    fn what_goes_through_a_providers_cache_has_its_own_price() {
        let usage = Usage {
            input_tokens: 1_000_000,
            cached_tokens: 400_000,
            cache_write_tokens: 400_000,
            ..Usage::default()
        };
        // 0.2 × 3 + 0.4 × 0.3 + 0.4 × 3.75
        let prices = Prices::default();
        let cost = prices.cost_of("claude-sonnet-4", &usage);
        assert_eq!(cost.input_microusd, 2_220_000);
        assert_eq!(prices.worst("claude-sonnet-4", 1_000_000, 0), 3_750_000);
        assert_eq!(prices.worst("gpt-4o", 1_000_000, 1_000_000), 12_500_000);
    }

    #[test]
    fn costs_beyond_all_measure_do_not_wrap() {
        check("gpt-4", u64::MAX, 0, (u64::MAX, 0));
        let total = Cost {
            input_microusd: u64::MAX,
            output_microusd: 1,
        }
        .total_microusd();
        assert_eq!(total, u64::MAX);
    }

    #[test]
    fn a_file_adds_to_the_built_in_table_and_overrides_it() {
        let prices = Prices::from_toml(
            "[\"Llama3\"]\ninput = 0.000001\noutput = 1\n[gpt-4]\ninput = 1\noutput = 2",
        )
        .unwrap();
        assert_eq!(prices.cost("llama3-70b", 1_000_000, 0).input_microusd, 1);
        assert_eq!(prices.cost("gpt-4", 1_000_000, 0).input_microusd, 1_000_000);
        assert_eq!(
            prices.cost("gpt-4o", 1_000_000, 0).input_microusd,
            2_500_000
        );
    }

    #[test]
    fn a_faulty_file_is_refused_with_line_and_model() {
        let fault = |file: &str| Prices::from_toml(file).unwrap_err().to_string();
        assert_eq!(
            fault("# mine\n\"a\" = { input = -1, output = 2 }"),
            "model prices, line 2 (\"a\" = { input = -1, output = 2 }): the input price of a must be between 0 and 1000000 dollars"
        );
        assert_eq!(
            fault("[m]\ninput = 1\noutput = 0.0000001"),
            "model prices, line 3 (output = 0.0000001): the output price of m has more than six decimals"
        );
        assert!(fault("m = { input = nan, output = 1 }").contains("must be between"));
        assert!(fault("m = { input = 1 }").contains("missing field `output`"));
        assert!(
            fault("m = { input = 1, output = 1, cache = 1 }").contains("unknown field `cache`")
        );
        assert!(
            fault("m = { input = \"1\", output = 1 }").starts_with("model prices, line 1 (m = ")
        );
        assert!(fault("m = ").starts_with("model prices, line 1 (m =): "));
    }
}
