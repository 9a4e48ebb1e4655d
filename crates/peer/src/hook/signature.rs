//! What proves to a receiver who told it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What a secret in the form of Standard Webhooks begins with.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature`, as Standard Webhooks says. `timestamp` is in seconds since 1970.
#[must_use]
pub fn standard_signature(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let signature = hmac::sign(&signing_key(secret), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(signature))
}

/// HMAC-SHA256 of the body alone, in lower-case hexadecimal; the secret is its key as it is.
#[must_use]
pub fn hex_signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, body.as_bytes()))
}

/// The key of a secret: `whsec_` and base64, as Standard Webhooks says, or the text itself.
fn signing_key(secret: &str) -> hmac::Key {
    let decoded = secret
        .strip_prefix(PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        // Nothing is no key: anybody could sign with it.
        .filter(|key| !key.is_empty());
    let bytes = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let signature = standard_signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_no_base64_is_its_own_key() {
        let signed = |secret: &str| hmac::sign(&signing_key(secret), b"x");
        let with = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"x");
        for (secret, key) in [
            ("whsec_dGVzdA==", &b"test"[..]),
            ("whsec_not base64", b"whsec_not base64"),
            ("whsec_", b"whsec_"),
            ("abc", b"abc"),
        ] {
            assert_eq!(signed(secret).as_ref(), with(key).as_ref(), "{secret}");
        }
    }
}
