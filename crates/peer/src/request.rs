//! What is asked of a peer, before it has an address.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

/// One request. It is tried once unless [`tries`](Self::tries) says otherwise.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
    pub(crate) tries: u32,
    pub(crate) within: Option<Duration>,
}

impl Request {
    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|&part| part.to_owned()).collect(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            tries: 1,
            within: None,
        }
    }

    /// `path` is in parts, each of which stays one part whatever it holds.
    #[must_use]
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    #[must_use]
    pub fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    #[must_use]
    pub fn patch(path: &[&str]) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// Adds what has a value.
    #[must_use]
    pub fn query(mut self, query: &[(&'static str, Option<String>)]) -> Self {
        let given = query
            .iter()
            .filter_map(|(name, value)| Some((*name, value.clone()?)));
        self.query.extend(given);
        self
    }

    /// Adds a header; one whose value does not fit into a header is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds a credential, which no log shows; `None` when it does not fit into a header.
    #[must_use]
    pub fn credential(mut self, name: &'static str, value: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Some(self)
    }

    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// How often it is tried while failures may pass. More than once only for what does no harm
    /// when it arrives twice.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// A limit for one try of less than what the peer is allowed.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Where it goes, below `base`; `None` where `base` has no path.
    pub(crate) fn url(&self, base: &Url) -> Option<Url> {
        let mut url = base.clone();
        url.set_query(None);
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_part_of_the_path_whatever_they_hold() {
        let url = |base: &str, path: &[&str]| {
            let request = Request::get(path).query(&[("title", Some("a&b".to_owned()))]);
            request.url(&base.parse().unwrap()).unwrap().to_string()
        };
        for base in ["http://h:1", "http://h:1/", "http://h:1/?x=1"] {
            assert_eq!(url(base, &["api", "t"]), "http://h:1/api/t?title=a%26b");
        }
        assert_eq!(
            url("http://h:1/mc/", &["tasks", "../a?b#c"]),
            "http://h:1/mc/tasks/..%2Fa%3Fb%23c?title=a%26b"
        );
    }

    #[test]
    fn a_credential_is_hidden_from_logs() {
        let request = Request::get(&[]).credential("x-token", "secret").unwrap();
        assert!(!format!("{request:?}").contains("secret"));
        assert!(Request::get(&[]).credential("x-token", "a\nb").is_none());
    }
}
