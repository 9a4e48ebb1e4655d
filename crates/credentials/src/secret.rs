//! A secret text.

use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A text that shows itself only where the code asks for it by name; its `Debug` hides it.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// `None` for an empty text: an empty secret counts as unset everywhere.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SecretString::from(text.to_owned())))
    }

    /// 32 random bytes in hex, after `prefix`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(prefix: &str) -> Result<Self, std::io::Error> {
        let mut bytes = [0u8; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
        Ok(Self(SecretString::from(format!(
            "{prefix}{}",
            hex::encode(bytes)
        ))))
    }

    /// The text itself, for whoever must send or sign with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether `text` is this secret. Takes the same time whatever differs, its length included.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        digest(self.expose())
            .as_slice()
            .ct_eq(digest(text).as_slice())
            .into()
    }

    /// Shorter than a key for HMAC-SHA-256 should be.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.expose().len() < 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_only_itself_and_does_not_print() {
        let secret = Secret::new("open sesame").unwrap();
        assert!(secret.matches("open sesame"));
        assert!(!secret.matches("open sesam"));
        assert!(!secret.matches(""));
        assert!(!format!("{secret:?}").contains("sesame"));
        assert!(Secret::new("").is_none());
    }

    #[test]
    fn generated_ones_differ() {
        let text = || Secret::generate("mc_adm_").unwrap().expose().to_owned();
        assert_ne!(text(), text());
        assert_eq!(text().len(), "mc_adm_".len() + 64);
    }
}
