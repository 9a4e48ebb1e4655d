//! In what two documents differ.

use serde_json::Value;

/// One place in which two documents differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Names joined by dots: `autonomy.SPECIALIST.yellow`.
    pub path: String,
    /// `None`: it is not there.
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// Every place in which `new` differs from `old`. Lists are compared as a whole.
#[must_use]
pub fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(old), Some(new), &mut found);
    found
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (old, new) else {
        found.push(Difference {
            path: path.to_owned(),
            old: old.cloned(),
            new: new.cloned(),
        });
        return;
    };
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    for (name, value) in before {
        compare(&below(name), Some(value), after.get(name), found);
    }
    for (name, value) in after {
        if !before.contains_key(name) {
            compare(&below(name), None, Some(value), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_is_named_once() {
        let old = json!({"a": {"b": 1, "c": [1, 2]}, "gone": true, "same": "x"});
        let new = json!({"a": {"b": 2, "c": [2]}, "same": "x", "added": null});
        let found = differences(&old, &new);
        let paths: Vec<&str> = found.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["a.b", "a.c", "gone", "added"]);
        assert_eq!((&found[2].old, &found[2].new), (&Some(json!(true)), &None));
        assert!(differences(&old, &old).is_empty());
    }
}
