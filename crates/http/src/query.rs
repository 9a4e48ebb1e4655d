//! The query of a request, as decoded pairs.

use axum::http::Uri;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::{Error, Result};

/// The query's pairs, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of `uri`.
    ///
    /// # Errors
    /// When it cannot be decoded, or holds the NUL character, which one of the two databases
    /// cannot even look for.
    pub fn of(uri: &Uri) -> Result<Self> {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Error::invalid("", format!("the query cannot be read: {error}")))?;
        for (name, value) in &query.0 {
            no_nul(name, value)?;
        }
        Ok(Self(query.0))
    }

    /// The first value of this name that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Every value of this name: the name may be repeated, and each value may list several,
    /// separated by commas.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Every value of this name, each of which must be one of `words`.
    pub fn words<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for value in self.list(name) {
            match parse(value) {
                Some(value) => found.push(value),
                None => problems.add(name, format!("{value:?} is not one of {words}")),
            }
        }
        found
    }

    /// A value that must be one of `words`.
    pub fn word<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        let value = self.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            problems.add(name, format!("{value:?} is not one of {words}"));
        }
        parsed
    }

    /// A whole number, cut to what `range` holds.
    pub fn number(
        &self,
        problems: &mut Problems,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let text = self.get(name)?;
        let Some(number) = crate::paging::clamped(text) else {
            problems.add(name, "must be a whole number");
            return None;
        };
        let (least, most) = (*range.start(), *range.end());
        let cut = number.clamp(i64::from(least), i64::from(most));
        Some(u32::try_from(cut).unwrap_or(most))
    }

    /// A flag: absent is false.
    pub fn flag(&self, problems: &mut Problems, name: &str) -> bool {
        match self.get(name) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => {
                problems.add(name, "must be true or false");
                false
            }
        }
    }
}

/// Refuses what one of the two databases cannot even look for.
///
/// # Errors
/// When `text` holds the NUL character.
pub fn no_nul(name: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(name, "must not contain the NUL character"));
    }
    Ok(())
}
