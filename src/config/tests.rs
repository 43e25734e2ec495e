//! The configuration from outside: the embedded files, precedence, refusals, relations.

mod embedded;
mod precedence;
mod refused;
mod relations;
mod shown;

use std::path::Path;
use std::time::Duration;

use super::*;

/// Somebody who may connect.
const KEY: &str = "[[auth.keys]]\nid = \"app\"\nalgorithm = \"HS256\"\nsecret_env = \"SECRET\"\n";

/// A file that holds: the least a node needs, who may connect and to what.
const LEAST: &str = "\
[[auth.keys]]
id = \"app\"
algorithm = \"HS256\"
secret_env = \"SECRET\"
[[namespaces]]
match = \"demo\"
";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load_with(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, Error> {
    load(
        Some((Path::new("starling.toml"), file)),
        pairs(environment),
        &pairs(flags),
    )
}

fn refusal(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    load_with(file, environment, flags).expect_err("a refusal").to_string()
}

#[test]
fn a_page_of_the_node_itself_may_always_connect() {
    let mut config = Config {
        client: Client {
            public_url: "https://rt.example.org".to_owned(),
            ..Config::default().client
        },
        ..Config::default()
    };
    assert!(config.allows_origin("https://rt.example.org", "whatever"));
    assert!(config.allows_origin("http://127.0.0.1:4433", "127.0.0.1:4433"));
    assert!(config.allows_origin("http://localhost:4433", "localhost:4433"));
    assert!(
        !config.allows_origin("http://127.0.0.1:5173", "127.0.0.1:4433"),
        "another port is another origin"
    );
    assert!(
        !config.allows_origin("http://evil.example:4433", "evil.example:4433"),
        "a name can be pointed at any machine"
    );
    assert!(!config.allows_origin("null", ""));
    config.client.origins = vec![Origin::Loopback];
    assert!(config.allows_origin("http://127.0.0.1:5173", "127.0.0.1:4433"));
}
