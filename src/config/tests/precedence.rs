//! Which layer wins.

use super::*;

#[test]
fn defaults_then_file_then_environment_then_flags() {
    let file = format!("[session]\nheartbeat = \"11s\"\n{LEAST}");
    let environment = ("STARLING_SESSION__HEARTBEAT", "12s");
    let flag = ("session.heartbeat", "13s");
    let cases: [(&str, &[_], &[_], u64, &str); 5] = [
        (LEAST, &[], &[], 10, "default"),
        (&file, &[], &[], 11, "starling.toml:2:1"),
        (&file, &[environment], &[], 12, "STARLING_SESSION__HEARTBEAT"),
        (&file, &[environment], &[flag], 13, "command line"),
        (LEAST, &[], &[("session.heartbeat", "12s"), flag], 13, "command line"),
    ];
    for (file, environment, flags, seconds, source) in cases {
        let loaded = load_with(file, environment, flags).expect("it holds");
        assert_eq!(loaded.config.session.heartbeat, Duration::from_secs(seconds));
        assert_eq!(loaded.source("session.heartbeat").to_string(), source);
        assert_eq!(loaded.source("session.window"), &Source::Default);
    }
}

#[test]
fn the_environment_is_read_as_what_its_key_takes() {
    let environment = [
        ("STARLING_CLIENT__LISTEN", "127.0.0.1:1, [::1]:2"),
        ("STARLING_CLIENT__WEBTRANSPORT", "false"),
        ("STARLING_CLIENT__TLS__KEY", ""),
        ("STARLING_LIMITS__CONNECTIONS_MAX", "5000"),
        ("STARLING_LOG__FORMAT", "json"),
        ("STARLING_NODE__NAME", "42"),
        // Not configuration: no section, another program's.
        ("STARLING_URL", "http://127.0.0.1:1"),
        ("PATH__X", "1"),
    ];
    let config = load_with(LEAST, &environment, &[]).expect("it holds").config;
    let listen: Vec<_> = config.client.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:1", "[::1]:2"]);
    assert!(!config.client.webtransport);
    assert_eq!(config.limits.connections_max, 5_000);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.node.name, "42");
}

#[test]
fn a_list_in_the_file_replaces_the_default() {
    let file = format!("client.listen = [\"127.0.0.1:9\"]\n{LEAST}");
    assert_eq!(
        load_with(&file, &[], &[]).expect("it holds").config.client.listen.len(),
        1
    );
}
