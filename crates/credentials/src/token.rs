//! Signed tokens (JWS compact), checked with one pinned algorithm.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;

use crate::Secret;
use crate::provider;

/// What a token says.
pub type Claims = serde_json::Map<String, serde_json::Value>;

/// The algorithms that a shared secret can sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "HS256" => Ok(Self::Hs256),
            "HS384" => Ok(Self::Hs384),
            "HS512" => Ok(Self::Hs512),
            other => Err(format!(
                "{other:?} is not an algorithm for a shared secret: use HS256, HS384 or HS512"
            )),
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Hs384 => Self::HS384,
            Algorithm::Hs512 => Self::HS512,
        }
    }
}

/// Why a token is refused, in words fit to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub &'static str);

/// A shared secret that signs and checks tokens.
#[derive(Clone)]
pub struct TokenKey {
    header: Header,
    validation: Validation,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("algorithm", &self.header.alg)
            .finish_non_exhaustive()
    }
}

impl TokenKey {
    #[must_use]
    pub fn new(secret: &Secret, algorithm: Algorithm) -> Self {
        provider::install();
        let mut validation = Validation::new(algorithm.into());
        // A token without `exp` is good (Mission Control backend §2.1); one whose `exp` is past is not.
        validation.required_spec_claims.clear();
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        let mut header = Header::new(algorithm.into());
        header.typ = None;
        Self {
            header,
            validation,
            encoding: EncodingKey::from_secret(secret.expose().as_bytes()),
            decoding: DecodingKey::from_secret(secret.expose().as_bytes()),
        }
    }

    /// Signs the claims.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn mint(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        jsonwebtoken::encode(&self.header, claims, &self.encoding)
            .map_err(|_| TokenError("the claims cannot be signed"))
    }

    /// The claims of a good token.
    ///
    /// # Errors
    /// Malformed, signed with another key or algorithm, expired, or not valid yet.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation);
        let claims = decoded.map(|data| data.claims).map_err(|error| {
            TokenError(match error.kind() {
                ErrorKind::ExpiredSignature => "the token has expired",
                ErrorKind::ImmatureSignature => "the token is not valid yet",
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                    "the token is signed with another algorithm than the configured one"
                }
                ErrorKind::InvalidSignature => "the token is signed with another key",
                _ => "the token is malformed",
            })
        })?;
        // The library lets a date that is no number pass unchecked.
        for name in ["exp", "nbf", "iat"] {
            if claims.get(name).is_some_and(|value| !value.is_number()) {
                return Err(TokenError("the token is malformed"));
            }
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(secret: &str, algorithm: Algorithm) -> TokenKey {
        TokenKey::new(&Secret::new(secret).unwrap(), algorithm)
    }

    #[test]
    fn a_token_without_a_date_is_good() {
        let key = key("s", Algorithm::Hs256);
        let token = key.mint(&json!({"type": "agent"})).unwrap();
        assert_eq!(key.verify(&token).unwrap()["type"], "agent");
    }

    #[test]
    fn other_keys_algorithms_dates_and_garbage_are_refused() {
        let ours = key("s", Algorithm::Hs256);
        let check = |token: String, expected: &str| {
            assert_eq!(ours.verify(&token).unwrap_err().0, expected, "{token}");
        };
        let claims = json!({"type": "agent"});
        check(
            key("t", Algorithm::Hs256).mint(&claims).unwrap(),
            "the token is signed with another key",
        );
        check(
            key("s", Algorithm::Hs384).mint(&claims).unwrap(),
            "the token is signed with another algorithm than the configured one",
        );
        check(
            ours.mint(&json!({"exp": 1})).unwrap(),
            "the token has expired",
        );
        check(
            ours.mint(&json!({"nbf": 99_999_999_999i64})).unwrap(),
            "the token is not valid yet",
        );
        check(
            ours.mint(&json!({"exp": "soon"})).unwrap(),
            "the token is malformed",
        );
        check("a.b.c".into(), "the token is malformed");
        check(String::new(), "the token is malformed");
        // {"alg":"none"} . {"type":"agent"} . nothing
        let none = ours
            .verify("eyJhbGciOiJub25lIn0.eyJ0eXBlIjoiYWdlbnQifQ.")
            .unwrap_err();
        assert_ne!(none.0, "");
    }
}
