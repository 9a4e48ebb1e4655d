//! Money, in whole micro-dollars: nothing is ever lost to rounding but in the house's favour.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    pub const ZERO: Self = Self(0);

    /// This many whole dollars.
    #[must_use]
    pub const fn dollars(dollars: u64) -> Self {
        Self(dollars * 1_000_000)
    }

    /// This many whole cents.
    #[must_use]
    pub const fn cents(cents: u64) -> Self {
        Self(cents * 10_000)
    }

    /// The amount that a number of dollars means, rounded up to a micro-dollar (rulings 10).
    /// `None` for what is no amount: negative, not finite, or past a billion dollars.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        if !(0.0..=1e9).contains(&dollars) {
            return None;
        }
        let exact = dollars * 1e6;
        // 0.45 is a little more than 450,000 micro-dollars as a float; that is not meant.
        let nearest = exact.round();
        let micros = if (exact - nearest).abs() < 1e-3 {
            nearest
        } else {
            exact.ceil()
        };
        // Within range by the check above.
        Some(Self(micros as u64))
    }

    /// As a number of dollars, exact to six decimals.
    #[must_use]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Down to nothing, never below.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many hundredths of it, rounded down.
    #[must_use]
    pub fn percent(self, percent: u64) -> Self {
        Self((u128::from(self.0) * u128::from(percent) / 100) as u64)
    }
}

/// In dollars, with two to six decimals: `0.45`, `1.500001`.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{micros:06}");
        let shown = digits.trim_end_matches('0');
        write!(f, "{whole}.{shown:0<2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_round_up_to_a_micro_dollar() {
        let cases = [
            (0.0, 0),
            (0.45, 450_000),
            (0.1 + 0.2, 300_000),
            (1.234_567, 1_234_567),
            (0.000_000_4, 1),
            (1e9, 1_000_000_000_000_000),
        ];
        for (dollars, micros) in cases {
            assert_eq!(
                MicroUsd::from_dollars(dollars),
                Some(MicroUsd(micros)),
                "{dollars}"
            );
        }
        for wrong in [-0.01, f64::NAN, f64::INFINITY, 1.1e9] {
            assert_eq!(MicroUsd::from_dollars(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn amounts_are_shown_in_dollars() {
        for (micros, shown) in [
            (0, "0.00"),
            (450_000, "0.45"),
            (5_000_000, "5.00"),
            (1_500_001, "1.500001"),
        ] {
            assert_eq!(MicroUsd(micros).to_string(), shown);
        }
    }
}
