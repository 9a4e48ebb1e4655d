//! Creates that happen once: the key of a request and the fingerprint of what it asks for.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stationmaster_access::Database;
use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::{Error, Object, Result, TenantId, Tx};

/// The key that a request may carry, and what equal requests share.
#[derive(Debug, Clone)]
pub struct Once {
    key: Option<String>,
    fingerprint: String,
}

impl Once {
    /// Reads the key from the body's `idempotency_key` or the `Idempotency-Key` header. The rest
    /// of the body is the request; its member order does not count.
    ///
    /// # Errors
    /// A key that is no string, or two that differ.
    pub fn of(headers: &HeaderMap, body: &Object) -> Result<Self> {
        let in_body = match body.get("idempotency_key") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(Error::invalid("idempotency_key", "must be a string")),
        };
        let in_header = headers
            .get("idempotency-key")
            .map(|value| value.to_str().map(str::to_owned))
            .transpose()
            .map_err(|_| {
                Error::invalid(
                    "idempotency_key",
                    "the Idempotency-Key header must be plain text",
                )
            })?;
        if let (Some(body), Some(header)) = (&in_body, &in_header)
            && body != header
        {
            return Err(Error::invalid(
                "idempotency_key",
                "differs from the Idempotency-Key header",
            ));
        }
        let key = in_body.or(in_header);
        let fingerprint = if key.is_some() {
            fingerprint(body)
        } else {
            String::new()
        };
        Ok(Self { key, fingerprint })
    }

    /// Makes a thing and renders the reply in one transaction; a repeat gets the first reply's
    /// bytes.
    ///
    /// # Errors
    /// The key is unusable or came with another request; whatever `create` refuses.
    pub async fn create<T, F>(
        self,
        database: &Database,
        tenant: TenantId,
        resource: &'static str,
        create: F,
    ) -> Result<Reply>
    where
        T: Serialize,
        F: Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let key = match &self.key {
            Some(key) => Some(Key::new(tenant, resource, key, self.fingerprint)?),
            None => None,
        };
        database
            .write(move |tx| {
                idempotency::once(tx, key.as_ref(), |tx| {
                    let body = serde_json::to_string(&create(tx)?).map_err(Error::internal)?;
                    Ok(Reply { status: 200, body })
                })
            })
            .await
    }
}

/// Equal for requests of the same method and path whose parsed bodies are equal.
#[must_use]
pub fn fingerprint_of(method: &str, path: &str, body: &Object) -> String {
    let mut canonical = String::new();
    write_text(&mut canonical, method);
    write_text(&mut canonical, path);
    write_object(&mut canonical, body.iter());
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

/// Equal for requests whose parsed bodies are equal.
fn fingerprint(body: &Object) -> String {
    let mut canonical = String::new();
    write_object(
        &mut canonical,
        body.iter().filter(|(name, _)| *name != "idempotency_key"),
    );
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

fn write_object<'a>(out: &mut String, members: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|(name, _)| *name);
    out.push('{');
    for (name, value) in members {
        write_text(out, name);
        out.push(':');
        write_value(out, value);
        out.push(',');
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Object(object) => write_object(out, object.iter()),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_value(out, item);
                out.push(',');
            }
            out.push(']');
        }
        Value::String(text) => write_text(out, text),
        Value::Number(number) => write_number(out, number),
        Value::Bool(_) | Value::Null => {
            let _ = write!(out, "{value}");
        }
    }
}

/// `1` and `1.0` are the same number.
fn write_number(out: &mut String, number: &serde_json::Number) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number
        .as_f64()
        .filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT);
    // Writing to a String cannot fail.
    let _ = match whole {
        Some(float) => write!(out, "{float:.0}"),
        None => write!(out, "{number}"),
    };
}

/// With its length before it, so that no text can be mistaken for structure.
fn write_text(out: &mut String, text: &str) {
    let _ = write!(out, "{}\"{text}", text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        fingerprint(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn equal_bodies_share_a_fingerprint() {
        let first = of(r#"{"a":1,"b":{"x":[1,2],"y":null},"idempotency_key":"k"}"#);
        assert_eq!(first, of(r#"{ "b": {"y":null, "x":[1.0,2]}, "a":1 }"#));
        for other in [
            r#"{"a":2,"b":{"x":[1,2],"y":null}}"#,
            r#"{"a":1,"b":{"x":[2,1],"y":null}}"#,
            r#"{"a":1,"b":{"x":[1,2]}}"#,
            r#"{"a":"1","b":{"x":[1,2],"y":null}}"#,
        ] {
            assert_ne!(first, of(other), "{other}");
        }
        assert_ne!(of(r#"{"a":"b,1\"c"}"#), of(r#"{"a":"b","c":""}"#));
    }
}
