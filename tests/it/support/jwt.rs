//! Tokens signed by hand, so that a mistake of the program's own library cannot hide here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// A token with exactly this header and these claims, signed as the header's `alg` says: with
/// HMAC and `secret`, or not at all for what is no HMAC.
pub(crate) fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let algorithm = match header["alg"].as_str() {
        Some("HS256") => Some(hmac::HMAC_SHA256),
        Some("HS384") => Some(hmac::HMAC_SHA384),
        Some("HS512") => Some(hmac::HMAC_SHA512),
        _ => None,
    };
    signed(header, claims, secret, algorithm)
}

/// A token whose header says one thing and whose signature is another.
pub(crate) fn signed(
    header: &Value,
    claims: &Value,
    secret: &str,
    algorithm: Option<hmac::Algorithm>,
) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = algorithm.map_or_else(String::new, |algorithm| {
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
    });
    format!("{message}.{signature}")
}

/// `HS256` over these claims, with the header that runtimes send.
pub(crate) fn hs256(claims: &Value, secret: &str) -> String {
    token(&json!({"alg": "HS256"}), claims, secret)
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
