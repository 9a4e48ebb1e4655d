//! What differs between two documents, key by key.

use serde_json::Value;

use super::Document;
use super::read::below;

/// A key whose value differs. A list is one value, except where tables stand in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// `shell.green`, or `network.integrations[0].on`.
    pub path: String,
    /// `null` where the other document only has it.
    pub old: Value,
    pub new: Value,
}

impl Document {
    /// What another document says differently, in the order of the keys.
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        walk("", &self.to_json(), &newer.to_json(), &mut differences);
        differences
    }
}

fn walk(path: &str, old: &Value, new: &Value, differences: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(olds), Value::Object(news)) => {
            let added = news.keys().filter(|key| !olds.contains_key(*key));
            for key in olds.keys().chain(added) {
                let [old, new] = [olds, news].map(|side| side.get(key).unwrap_or(&Value::Null));
                walk(&below(path, key), old, new, differences);
            }
        }
        (Value::Array(olds), Value::Array(news))
            if olds.len() == news.len() && olds.iter().chain(news).all(Value::is_object) =>
        {
            for (index, (old, new)) in olds.iter().zip(news).enumerate() {
                walk(&format!("{path}[{index}]"), old, new, differences);
            }
        }
        _ => differences.push(Difference {
            path: path.to_owned(),
            old: old.clone(),
            new: new.clone(),
        }),
    }
}
