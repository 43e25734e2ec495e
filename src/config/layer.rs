//! Values laid over one another, each remembered with its source.
//!
//! The first layer is `config/default.toml`. It also says which keys exist and of which kind each is, so that a key
//! can be refused where it is written, and a text from the environment can be read as what its key takes.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::auth::{ApiKey, Key};
use super::error::Problem;
use super::namespace::Namespace;
use super::source::Source;

/// The layers so far, flattened into one.
pub(super) struct Layers {
    /// Every key there is, at its default.
    known: Table,
    /// Every key of one entry, for each list of tables.
    known_entries: [(&'static str, Table); 3],
    pub(super) values: Table,
    /// Who set which key. What is missing is at its default.
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    /// The defaults alone.
    pub(super) fn new(defaults: &str) -> Self {
        let mut known: Table = toml::from_str(defaults).expect("the embedded default file is TOML: a test reads it");
        let known_entries = entries();
        // They have no default entries, and so no keys of these names in the file.
        for (list, _) in &known_entries {
            replace(&mut known, list, Value::Array(Vec::new()));
        }
        Self {
            values: known.clone(),
            known,
            known_entries,
            sources: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Lays a file over what is there. A list replaces a list.
    pub(super) fn file(&mut self, path: &Path, text: &str) {
        let parsed = DeTable::parse(text).and_then(|spans| Ok((spans, toml::from_str::<Table>(text)?)));
        let file = File { path, text };
        match parsed {
            Ok((spans, values)) => {
                let known = self.known.clone();
                self.annotate(&file, "", &known, spans.get_ref());
                overlay(&mut self.values, values);
            }
            Err(error) => self.problems.push(Problem::Syntax {
                source: file.source(error.span().map_or(text.len(), |span| span.start)),
                message: error.message().replace('\n', ", "),
            }),
        }
    }

    /// Lays one value over what is there, read as what its key takes.
    pub(super) fn set(&mut self, source: Source, key: &str, text: &str) {
        let refused = |message: &str| Problem::Value {
            source: source.clone(),
            key: key.to_owned(),
            message: message.to_owned(),
        };
        match find(&self.known, key) {
            None => {
                let nearest = nearest(key, keys(&self.known, ""));
                self.problems.push(Problem::UnknownKey {
                    source,
                    key: key.to_owned(),
                    nearest,
                });
            }
            Some(Value::Table(_)) => self.problems.push(refused("is a section; name one of its keys")),
            Some(Value::Array(_)) if self.entry_of(key).is_some() => {
                self.problems
                    .push(refused("is a list of tables; set it in the configuration file"));
            }
            Some(example) => match read_as(example, text) {
                Ok(value) => {
                    replace(&mut self.values, key, value);
                    self.sources.insert(key.to_owned(), source);
                }
                Err(message) => self.problems.push(refused(&message)),
            },
        }
    }

    /// Who set a key, or set the nearest thing around it.
    pub(super) fn source(&self, key: &str) -> Source {
        let around = |key: &str| key.rfind(['.', '[']).map(|end| key[..end].to_owned());
        let mut at = Some(key.to_owned());
        while let Some(key) = at {
            if let Some(source) = self.sources.get(&key) {
                return source.clone();
            }
            at = around(&key);
        }
        Source::Default
    }

    /// Every key of an entry of this list of tables; `None` if the key is none.
    fn entry_of(&self, key: &str) -> Option<Table> {
        let entry = self.known_entries.iter().find(|(list, _)| *list == key);
        entry.map(|(_, known)| known.clone())
    }

    /// Notes where each key of a table stands, and refuses the ones that do not exist.
    fn annotate(&mut self, file: &File<'_>, at: &str, known: &Table, spans: &DeTable<'_>) {
        for (name, value) in spans {
            let key = join(at, name.get_ref());
            let source = file.source(name.span().start);
            match (known.get(&**name.get_ref()), value.get_ref()) {
                (None, _) => {
                    let nearest = nearest(&key, keys(known, at).chain(keys(&self.known, "")));
                    self.problems.push(Problem::UnknownKey { source, key, nearest });
                }
                (Some(Value::Table(known)), DeValue::Table(inner)) => {
                    self.sources.insert(key.clone(), source);
                    self.annotate(file, &key, known, inner);
                }
                (Some(Value::Table(_)), _) => {
                    let message = "is a section; give it keys, not a value".to_owned();
                    self.problems.push(Problem::Value { source, key, message });
                }
                (Some(_), DeValue::Array(entries)) if let Some(known) = self.entry_of(&key) => {
                    self.sources.insert(key.clone(), source);
                    for (index, entry) in entries.iter().enumerate() {
                        let key = format!("{key}[{index}]");
                        self.sources.insert(key.clone(), file.source(entry.span().start));
                        if let DeValue::Table(inner) = entry.get_ref() {
                            self.annotate(file, &key, &known, inner);
                        }
                    }
                }
                (Some(_), value) => {
                    self.note_tables(file, &key, value);
                    self.sources.insert(key, source);
                }
            }
        }
    }

    /// Notes where the keys of tables stand that are a value of a key, such as the capabilities of an API key. Whoever
    /// reads the value knows its keys.
    fn note_tables(&mut self, file: &File<'_>, at: &str, value: &DeValue<'_>) {
        let DeValue::Array(items) = value else { return };
        for (index, item) in items.iter().enumerate() {
            let DeValue::Table(inner) = item.get_ref() else {
                continue;
            };
            for (name, _) in inner {
                let key = format!("{at}[{index}].{}", name.get_ref());
                self.sources.insert(key, file.source(name.span().start));
            }
        }
    }
}

/// The keys that are lists of tables, each with an entry that has every key.
fn entries() -> [(&'static str, Table); 3] {
    let table = |entry: Result<Table, _>| entry.expect("an entry is strings, numbers, lists and tables");
    [
        ("namespaces", table(Table::try_from(Namespace::new("any")))),
        ("auth.keys", table(Table::try_from(Key::example()))),
        ("auth.api_keys", table(Table::try_from(ApiKey::example()))),
    ]
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn source(&self, offset: usize) -> Source {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Source::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn overlay(below: &mut Table, above: Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

fn replace(table: &mut Table, key: &str, value: Value) {
    let one = key.rsplit('.').fold(value, |inner, name| {
        Value::Table(Table::from_iter([(name.to_owned(), inner)]))
    });
    if let Value::Table(one) = one {
        overlay(table, one);
    }
}

fn find<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (section, rest) = match key.split_once('.') {
        Some((section, rest)) => (section, Some(rest)),
        None => (key, None),
    };
    match (table.get(section)?, rest) {
        (value, None) => Some(value),
        (Value::Table(inner), Some(rest)) => find(inner, rest),
        (_, Some(_)) => None,
    }
}

/// Reads a text as a value of the same kind as `example`. A list is parted by commas.
fn read_as(example: &Value, text: &str) -> Result<Value, String> {
    match example {
        Value::Boolean(_) => text
            .parse()
            .map(Value::Boolean)
            .map_err(|_| format!("\"{text}\" is not \"true\" or \"false\"")),
        Value::Integer(_) => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| format!("\"{text}\" is not a whole number")),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(Value::from).collect()))
        }
        _ => Ok(Value::from(text)),
    }
}

/// Every key under a table, sections included.
fn keys(table: &Table, at: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    for (name, value) in table {
        let key = join(at, name);
        if let Value::Table(inner) = value {
            found.extend(keys(inner, &key));
        }
        found.push(key);
    }
    found.into_iter()
}

/// The key that was probably meant: a spelling close by, or the same name in another section.
fn nearest(key: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    /// Share of letters that must agree. At 0.75 one slip in a short key still counts, and `log` is not `slots`.
    const LIKENESS_MIN: f64 = 0.75;
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let candidates: Vec<_> = candidates.collect();
    let likeness = |candidate: &String| strsim::normalized_damerau_levenshtein(key, candidate);
    let closest = candidates.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let close = closest.filter(|candidate| likeness(candidate) >= LIKENESS_MIN);
    close
        .or_else(|| candidates.iter().find(|candidate| last(candidate) == last(key)))
        .cloned()
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}
