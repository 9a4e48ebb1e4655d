//! Money as this contract shows it (§1).

use serde::{Serialize, Serializer};
use stationmaster_kernel::MicroUsd;
use utoipa::ToSchema;

/// An amount in US dollars, a number with at most six decimals; a whole number without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = f64, example = 4.55)]
pub(super) struct Dollars(MicroUsd);

impl From<MicroUsd> for Dollars {
    fn from(amount: MicroUsd) -> Self {
        Self(amount)
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const MICROS: u64 = 1_000_000;
        let micros = self.0.0;
        if micros.is_multiple_of(MICROS) {
            serializer.serialize_u64(micros / MICROS)
        } else {
            serializer.serialize_f64(self.0.as_dollars())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_dollars_have_no_decimals() {
        for (micros, shown) in [
            (0, "0"),
            (5_000_000, "5"),
            (450_000, "0.45"),
            (1_234_567, "1.234567"),
            (1, "1e-6"),
        ] {
            let json = serde_json::to_string(&Dollars(MicroUsd(micros))).unwrap();
            assert_eq!(json, shown);
        }
    }
}
