//! The arrows between the parts of Starling, read from the manifests.
//!
//! The rules (`core`), the words on the wire (`protocol`) and what actors stand on (`runtime`) are strangers to each
//! other: each changes for reasons of its own. The compiler holds to what a manifest says; this test holds the
//! manifests to what ARCHITECTURE.md says. A new arrow is a decision, made by changing a table here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// Which of our own parts each part may name.
const OURS: &[(&str, &[&str])] = &[
    ("starling-protocol", &[]),
    ("starling-core", &[]),
    ("starling-runtime", &[]),
    ("starling-cluster", &["starling-core"]),
    ("starling-client", &["starling-protocol"]),
    ("starling-bench", &["starling-protocol"]),
    // It sees nodes as their clients do.
    ("starling-chaos", &["starling-client"]),
    (
        "starling-mesh",
        &[
            "starling-bench",
            "starling-client",
            "starling-cluster",
            "starling-core",
            "starling-protocol",
            "starling-runtime",
        ],
    ),
];

/// All that a part is built from, where the list is short on purpose. Tests and build scripts may use more.
const ONLY: &[(&str, &[&str])] = &[
    (
        "starling-core",
        &["bytes", "rand", "thiserror", "tracing", "xxhash-rust", "yrs"],
    ),
    ("starling-protocol", &["bytes", "prost", "thiserror"]),
    ("starling-runtime", &["rand", "ractor", "thiserror", "tokio", "tracing"]),
];

/// What a part reaches neither by itself nor through others, its tests included.
const NEVER: &[(&str, &[&str])] = &[
    // A rule that could wait, keep time or ask a database would not replay from a seed.
    (
        "starling-core",
        &[
            "tokio",
            "ractor",
            "quinn",
            "hyper",
            "rustls",
            "chitchat",
            "rusqlite",
            "tokio-postgres",
        ],
    ),
    // A client in another language reads this crate; it needs no runtime to encode a frame.
    ("starling-protocol", &["tokio", "ractor", "quinn", "hyper", "rustls"]),
    ("starling-runtime", &["quinn", "hyper", "rustls", "prost"]),
    // Nodes find each other without knowing what a client is, and keep nothing of its messages.
    ("starling-cluster", &["axum", "hyper", "prost", "tokio-postgres"]),
    // An application takes the client into its own process.
    (
        "starling-client",
        &["ractor", "axum", "chitchat", "rusqlite", "tokio-postgres"],
    ),
];

/// Who alone may name a crate.
const ALONE: &[(&str, &[&str])] = &[
    ("chitchat", &["starling-cluster"]),
    ("bincode", &["starling-cluster"]),
    ("ractor", &["starling-mesh", "starling-runtime"]),
    ("openraft", &["starling-cluster"]),
    ("yrs", &["starling-core", "starling-chaos"]),
    ("rusqlite", &["starling-cluster", "starling-mesh"]),
    ("tokio-postgres", &["starling-mesh"]),
    ("deadpool-postgres", &["starling-mesh"]),
];

#[test]
fn the_manifests_keep_to_the_arrows() {
    let workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(workspace.violations(), Vec::<String>::new());
}

#[test]
fn every_part_has_its_line() {
    let workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let parts: BTreeSet<_> = workspace.parts.keys().map(String::as_str).collect();
    assert_eq!(parts, OURS.iter().map(|(part, _)| *part).collect());
}

#[test]
fn a_planted_arrow_is_caught() {
    for (part, section, dependency, told) in [
        (
            "starling-core",
            "dependencies",
            "starling-protocol",
            "starling-core may not name starling-protocol",
        ),
        (
            "starling-core",
            "dev-dependencies",
            "starling-runtime",
            "starling-core may not name starling-runtime",
        ),
        (
            "starling-runtime",
            "build-dependencies",
            "starling-core",
            "starling-runtime may not name starling-core",
        ),
        (
            "starling-client",
            "dependencies",
            "starling-core",
            "starling-client may not name starling-core",
        ),
        (
            "starling-protocol",
            "dependencies",
            "serde",
            "starling-protocol is built from serde",
        ),
        (
            "starling-client",
            "dependencies",
            "ractor",
            "starling-client may not name ractor",
        ),
        (
            "starling-core",
            "dev-dependencies",
            "tokio",
            "starling-core reaches tokio",
        ),
    ] {
        let mut workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR")));
        workspace.plant(
            part,
            &format!("[{section}]\nrenamed = {{ package = \"{dependency}\", version = \"1\" }}\n"),
        );
        let found = workspace.violations();
        assert!(
            found.iter().any(|line| line.starts_with(told)),
            "{told:?} is not in {found:?}"
        );
    }
}

#[test]
fn a_planted_arrow_for_one_target_is_caught() {
    let mut workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    workspace.plant(
        "starling-core",
        "[target.'cfg(unix)'.dependencies]\nstarling-runtime = { workspace = true }\n",
    );
    let found = workspace.violations();
    assert!(
        found.contains(&"starling-core may not name starling-runtime".to_owned()),
        "{found:?}"
    );
}

#[test]
fn an_arrow_through_others_is_caught() {
    let mut workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    workspace
        .locked
        .insert("xxhash-rust".into(), BTreeSet::from(["between".into()]));
    workspace
        .locked
        .insert("between".into(), BTreeSet::from(["tokio".into()]));
    assert_eq!(
        workspace.violations(),
        ["starling-core reaches tokio through xxhash-rust"]
    );
}

/// What the manifests name, and what the lock file says each crate needs.
struct Workspace {
    parts: BTreeMap<String, Named>,
    locked: BTreeMap<String, BTreeSet<String>>,
}

/// What one manifest names.
#[derive(Default)]
struct Named {
    built_from: BTreeSet<String>,
    /// For tests and build scripts.
    helped_by: BTreeSet<String>,
}

impl Workspace {
    fn read(root: &Path) -> Self {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let manifest: Root = toml::from_str(&read(&root.join("Cargo.toml"))).expect("the workspace's manifest");
        let lock: Lock = toml::from_str(&read(&root.join("Cargo.lock"))).expect("a Cargo.lock");
        let mut parts = BTreeMap::new();
        for member in &manifest.workspace.members {
            let manifest: Manifest = toml::from_str(&read(&root.join(member).join("Cargo.toml"))).expect("a manifest");
            let name = manifest.package.as_ref().expect("a member is a package").name.clone();
            parts.insert(name, manifest.named());
        }
        let mut locked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in lock.package {
            // "name", or "name version" where there are several.
            let needs = package.dependencies.iter().filter_map(|line| line.split(' ').next());
            locked.entry(package.name).or_default().extend(needs.map(str::to_owned));
        }
        Self { parts, locked }
    }

    /// Adds a section to a part's manifest.
    fn plant(&mut self, part: &str, section: &str) {
        let planted: Manifest = toml::from_str(section).expect("a section of a manifest");
        let planted = planted.named();
        let named = self.parts.get_mut(part).expect("a part of ours");
        named.built_from.extend(planted.built_from);
        named.helped_by.extend(planted.helped_by);
    }

    /// Every arrow that may not be, a sentence each.
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (part, named) in &self.parts {
            let all = || named.built_from.union(&named.helped_by);
            for other in all().filter(|name| self.parts.contains_key(*name)) {
                if !row(OURS, part).contains(&other.as_str()) {
                    found.push(format!("{part} may not name {other}"));
                }
            }
            for (guarded, by) in ALONE {
                if all().any(|name| name == guarded) && !by.contains(&part.as_str()) {
                    found.push(format!("{part} may not name {guarded}: only {} may", by.join(" and ")));
                }
            }
            if ONLY.iter().any(|(short, _)| short == part) {
                for other in named
                    .built_from
                    .iter()
                    .filter(|name| !row(ONLY, part).contains(&name.as_str()))
                {
                    found.push(format!("{part} is built from {other}, which is not on its short list"));
                }
            }
            for never in row(NEVER, part) {
                if let Some(first) = all().find(|first| self.reaches(first, never)) {
                    let through = if first == never {
                        String::new()
                    } else {
                        format!(" through {first}")
                    };
                    found.push(format!("{part} reaches {never}{through}"));
                }
            }
        }
        found
    }

    /// Whether `from` is `to` or needs it, directly or through others. Parts of ours are judged by themselves.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) && !self.parts.contains_key(name) {
                open.extend(self.locked.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }
}

/// The line of a table that belongs to a part; a part without one is allowed, or denied, nothing.
fn row<'a>(table: &'a [(&str, &[&str])], part: &str) -> &'a [&'a str] {
    table.iter().find(|(name, _)| *name == part).map_or(&[], |(_, row)| row)
}

#[derive(Deserialize)]
struct Root {
    workspace: Members,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Option<Name>,
    #[serde(flatten)]
    always: Sections,
    #[serde(default)]
    target: BTreeMap<String, Sections>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sections {
    #[serde(default)]
    dependencies: toml::Table,
    #[serde(default)]
    dev_dependencies: toml::Table,
    #[serde(default)]
    build_dependencies: toml::Table,
}

impl Manifest {
    fn named(&self) -> Named {
        let mut named = Named::default();
        for sections in std::iter::once(&self.always).chain(self.target.values()) {
            named.built_from.extend(packages(&sections.dependencies));
            named.helped_by.extend(packages(&sections.dev_dependencies));
            named.helped_by.extend(packages(&sections.build_dependencies));
        }
        named
    }
}

/// The packages a section names: a dependency may go by another name.
fn packages(section: &toml::Table) -> impl Iterator<Item = String> {
    section.iter().map(|(name, value)| {
        let package = value.get("package").and_then(toml::Value::as_str);
        package.unwrap_or(name).to_owned()
    })
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}
