//! How the parts of a document are read from a tree, so that every fault is found in one go and says
//! where it is. To add a key: a field in `document/mod.rs`, its value in `default.toml`.

use super::Fault;
use super::tree::{Kind, Tree};

/// What can be read from a tree. `None` has left at least one fault behind.
pub(crate) trait Read: Sized {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self>;
}

/// A struct of a document: how it is read, and how it is written.
macro_rules! section {
    ($(#[$about:meta])* $name:ident {
        $($(#[$field_about:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
        }

        impl $crate::document::read::Read for $name {
            fn read(
                tree: &$crate::document::tree::Tree,
                path: &str,
                faults: &mut Vec<$crate::document::Fault>,
            ) -> Option<Self> {
                let table = $crate::document::read::Table::open(tree, path, faults)?;
                table.has_only(&[$(stringify!($field)),*], faults);
                $(let $field = table.get(stringify!($field), faults);)*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}
pub(crate) use section;

/// A table of which keys are asked for by their names in code, and stand there in camelCase.
pub(crate) struct Table<'a> {
    entries: &'a [(String, Tree)],
    line: Option<usize>,
    path: &'a str,
}

impl<'a> Table<'a> {
    pub(crate) fn open(tree: &'a Tree, path: &'a str, faults: &mut Vec<Fault>) -> Option<Self> {
        match &tree.kind {
            Kind::Table(entries) => Some(Self {
                entries,
                line: tree.line,
                path,
            }),
            _ => wrong(tree, path, "a table", faults),
        }
    }

    pub(crate) fn has_only(&self, known: &[&str], faults: &mut Vec<Fault>) {
        let known: Vec<String> = known.iter().map(|key| camel_case(key)).collect();
        for (key, tree) in self.entries {
            if !known.contains(key) {
                let message = format!("is not known here; known are {}", known.join(", "));
                faults.push(Fault::new(tree.line, below(self.path, key), message));
            }
        }
    }

    pub(crate) fn get<T: Read>(&self, field: &str, faults: &mut Vec<Fault>) -> Option<T> {
        let key = camel_case(field);
        let path = below(self.path, &key);
        let Some((_, tree)) = self.entries.iter().find(|(known, _)| *known == key) else {
            faults.push(Fault::new(self.line, path, "is missing"));
            return None;
        };
        T::read(tree, &path, faults)
    }
}

/// A wrong kind of value.
pub(crate) fn wrong<T>(tree: &Tree, path: &str, right: &str, faults: &mut Vec<Fault>) -> Option<T> {
    let message = format!("is {}; it must be {right}", tree.called());
    faults.push(Fault::new(tree.line, path, message));
    None
}

impl Read for bool {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        match tree.kind {
            Kind::Bool(value) => Some(value),
            _ => wrong(tree, path, "true or false", faults),
        }
    }
}

impl Read for u32 {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        match tree.kind {
            Kind::Number(number) if number.fract() == 0.0 && (0.0..=1e6).contains(&number) => {
                Some(number as Self)
            }
            _ => wrong(tree, path, "a whole number from 0 to 1000000", faults),
        }
    }
}

impl Read for String {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        match &tree.kind {
            Kind::Text(text) => Some(text.clone()),
            _ => wrong(tree, path, "a string", faults),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let Kind::List(items) = &tree.kind else {
            return wrong(tree, path, "a list", faults);
        };
        let items: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| T::read(item, &format!("{path}[{index}]"), faults))
            .collect();
        items.into_iter().collect()
    }
}

/// The path of a member.
pub(crate) fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}
