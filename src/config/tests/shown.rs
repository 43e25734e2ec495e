//! The effective values and their sources.

use super::*;

#[test]
fn the_effective_values_load_again_and_name_their_sources() {
    let file =
        format!("{LEAST}history = {{ age = \"10m\" }}\n[[namespaces]]\nmatch = \"live\"\ndurability = \"ephemeral\"\n");
    let loaded = load_with(&file, &[("STARLING_NODE__ZONE", "a")], &[("log.filter", "debug")]).expect("it holds");
    let text = show(&loaded);
    for line in [
        "filter = \"debug\" # command line",
        "zone = \"a\" # STARLING_NODE__ZONE",
        "listen = [\"127.0.0.1:4433\", \"[::1]:4433\"] # default",
        "match = \"live\" # starling.toml:9:1",
        "age = \"10m\" # starling.toml:7:13",
        "[client.tls]",
        "[[namespaces]]",
        "[namespaces.history]",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n--\n{text}");
    }
    assert_eq!(load_with(&text, &[], &[]).expect("what is shown").config, loaded.config);
}

#[test]
fn what_stands_in_a_list_has_its_place() {
    let hash = "0123456789abcdef".repeat(4);
    let file = format!(
        "[[auth.api_keys]]\nid = \"a\"\nsha256 = \"{hash}\"\ncapabilities = [{{ channels = \"a:*\", operations = [\"publish\"] }}]\n{LEAST}"
    );
    let loaded = load_with(&file, &[], &[]).expect("it holds");
    let text = show(&loaded);
    assert!(text.contains("channels = \"a:*\" # starling.toml:4:19\n"), "{text}");
    assert_eq!(load_with(&text, &[], &[]).expect("what is shown").config, loaded.config);
}

#[test]
fn a_secret_is_not_shown() {
    let secret = "correct-horse-battery-staple-and-more";
    let file = format!("[[auth.keys]]\nid = \"b\"\nalgorithm = \"HS256\"\nsecret = \"{secret}\"\n{LEAST}");
    let loaded = load_with(&file, &[], &[]).expect("it holds");
    let text = show(&loaded);
    assert!(text.contains("secret = \"(hidden)\""), "{text}");
    for shown in [text, format!("{:?}", settings(&loaded)), format!("{:?}", loaded.config)] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(loaded.config.auth.keys[0].secret.expose(), secret);
}

#[test]
fn every_value_is_listed_once() {
    let loaded = load_with(LEAST, &[], &[]).expect("it holds");
    let settings = settings(&loaded);
    let find = |key: &str| {
        settings
            .iter()
            .filter(|setting| setting.key == key)
            .map(|setting| setting.source.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(find("namespaces[0].match"), ["starling.toml:6:1"]);
    assert_eq!(find("namespaces[0].history.age"), ["default"]);
    assert_eq!(find("client.tls.key"), ["default"]);
}
