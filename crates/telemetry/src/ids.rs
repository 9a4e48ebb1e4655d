//! The ids of traces and spans.

use opentelemetry::trace::{SpanId, TraceId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The 128 bits of a trace's name: those of a UUID, which ours are, or a digest of what a caller chose.
pub(crate) fn trace_id(name: &str) -> TraceId {
    let bits = match Uuid::parse_str(name) {
        Ok(id) if !id.is_nil() => id.as_u128(),
        _ => {
            let digest = Sha256::digest(name.as_bytes());
            digest
                .iter()
                .take(16)
                .fold(0, |bits, byte| bits << 8 | u128::from(*byte))
        }
    };
    bits.into()
}

pub(crate) fn new_span() -> SpanId {
    fastrand::u64(1..).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_its_own_trace_and_any_other_name_has_one() {
        let check = |name: &str, expected: &str| {
            assert_eq!(trace_id(name).to_string(), expected, "{name}");
        };
        let bits = "0195f3f2a1b27c3d8e4f5a6b7c8d9e0f";
        check("0195f3f2-a1b2-7c3d-8e4f-5a6b7c8d9e0f", bits);
        check(bits, bits);
        // The first half of its SHA-256.
        check("one-journey", "c099c0dcf3f37ef96b8486fc95f0d9a4");
        assert_ne!(trace_id(&Uuid::nil().to_string()), TraceId::INVALID);
    }
}
