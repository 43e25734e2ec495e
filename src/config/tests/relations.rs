//! What must hold between keys.

use super::*;

/// What looks like a hash.
const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A node with peers that has all it needs, and `more`.
fn cluster(more: &str) -> String {
    let files = ["gossip_keys", "authority", "certificate", "key"].map(|key| format!("cluster.{key} = \"f\"\n"));
    format!(
        "node.name = \"a\"\ncluster.enabled = true\ncluster.id = \"prod\"\n{}{more}",
        files.concat()
    )
}

/// The keys of the only conflict.
fn conflict(file: &str) -> (Vec<String>, String) {
    let error = load_with(file, &[], &[]).expect_err(file);
    match error.problems() {
        [Problem::Conflict { conflict, .. }] => (conflict.keys.clone(), conflict.message.clone()),
        problems => panic!("{file}: {problems:#?}"),
    }
}

#[test]
fn each_is_refused_with_its_keys() {
    let with = |keys: &str| format!("{keys}\n{LEAST}");
    let namespace = |keys: &str| format!("{LEAST}{keys}\n");
    let key = |keys: &str| format!("[[auth.keys]]\n{keys}\n{LEAST}");
    let api_key = |hash: &str, channels: &str, operations: &str| {
        format!(
            "[[auth.api_keys]]\nid = \"a\"\nsha256 = \"{hash}\"\ncapabilities = [{{ channels = \"{channels}\", operations = [{operations}] }}]\n{LEAST}"
        )
    };
    let cases: Vec<(String, &[&str])> = vec![
        (KEY.to_owned(), &["namespaces"]),
        (
            "[[namespaces]]\nmatch = \"demo\"\n".to_owned(),
            &["auth.keys", "auth.anonymous"],
        ),
        (with("auth.leeway = \"31s\""), &["auth.leeway"]),
        (with("auth.lifetime_max = \"0s\""), &["auth.lifetime_max"]),
        (format!("{KEY}{LEAST}"), &["auth.keys[1].id"]),
        (
            key("id = \"a b\"\nalgorithm = \"HS256\"\nsecret_env = \"S\""),
            &["auth.keys[0].id"],
        ),
        (key("id = \"b\"\nalgorithm = \"HS256\""), &["auth.keys[0].algorithm"]),
        (
            key("id = \"b\"\nalgorithm = \"HS256\"\nsecret_env = \"S\"\nsecret_file = \"s\""),
            &["auth.keys[0].algorithm"],
        ),
        (
            key("id = \"b\"\nalgorithm = \"HS256\"\npublic_key_file = \"p\""),
            &["auth.keys[0].algorithm"],
        ),
        (
            key("id = \"b\"\nalgorithm = \"RS256\"\nsecret_file = \"p\""),
            &["auth.keys[0].algorithm"],
        ),
        (
            key("id = \"b\"\nalgorithm = \"HS256\"\nsecret = \"short\""),
            &["auth.keys[0].secret"],
        ),
        (api_key("xyz", "chat:*", "\"publish\""), &["auth.api_keys[0].sha256"]),
        (api_key(HASH, "cha*", "\"publish\""), &["auth.api_keys[0].capabilities"]),
        (api_key(HASH, "chat:*", ""), &["auth.api_keys[0].capabilities"]),
        (with("client.listen = []"), &["client.listen"]),
        (
            with("client.listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]"),
            &["client.listen"],
        ),
        (
            with("admin.listen = \"127.0.0.1:4433\""),
            &["client.listen", "admin.listen"],
        ),
        (
            with("admin.listen = \"0.0.0.0:4433\""),
            &["client.listen", "admin.listen"],
        ),
        (
            with("client.listen = [\"0.0.0.0:4433\"]"),
            &["client.listen", "client.tls.certificate"],
        ),
        (
            with(
                "auth.anonymous = true\nclient = { listen = [\"0.0.0.0:4433\"], tls = { certificate = \"c\", key = \"k\" } }",
            ),
            &["auth.anonymous", "client.listen"],
        ),
        (
            with("client.tls.key = \"k\""),
            &["client.tls.certificate", "client.tls.key"],
        ),
        (
            with("client.public_url = \"realtime.example.org\""),
            &["client.public_url"],
        ),
        (
            with("client.public_url = \"https://example.org/realtime\""),
            &["client.public_url"],
        ),
        (with("client.udp_buffer = \"1KiB\""), &["client.udp_buffer"]),
        (with("node.data_dir = \"\""), &["node.data_dir"]),
        (with("log.filter = \"starling=loud\""), &["log.filter"]),
        (with("session.hello_timeout = \"0s\""), &["session.hello_timeout"]),
        (with("session.heartbeat = \"999ms\""), &["session.heartbeat"]),
        (with("session.window = \"2s\""), &["session.window"]),
        (with("session.window_busy = \"2s\""), &["session.window_busy"]),
        (with("session.channels_max = 0"), &["session.channels_max"]),
        (with("session.channels_max = 129"), &["session.channels_max"]),
        (
            with("session.publishes_in_flight_max = 65"),
            &["session.publishes_in_flight_max"],
        ),
        (with("session.send_queue = \"0B\""), &["session.send_queue"]),
        (
            with("limits.connections_opening_max = 0"),
            &["limits.connections_opening_max", "limits.connections_max"],
        ),
        (
            with("limits.connections_per_address_max = 20001"),
            &["limits.connections_per_address_max", "limits.connections_max"],
        ),
        (with("limits.frame = \"2MiB\""), &["limits.frame"]),
        (
            with("limits.frame = \"64KiB\""),
            &["namespaces[0].payload_max", "limits.frame"],
        ),
        (
            with("limits.http_body = \"63KiB\""),
            &["namespaces[0].payload_max", "limits.http_body"],
        ),
        (
            with("limits.http_header_timeout = \"2m\""),
            &["limits.http_header_timeout"],
        ),
        (with("cluster.gossip_interval = \"1ms\""), &["cluster.gossip_interval"]),
        (with("cluster.gossip_suspicion = 1"), &["cluster.gossip_suspicion"]),
        (with("cluster.heartbeat = \"10ms\""), &["cluster.heartbeat"]),
        (
            with("cluster.heartbeats_missed_max = 1"),
            &["cluster.heartbeats_missed_max"],
        ),
        (with("cluster.silence_max = \"4s\""), &["cluster.silence_max"]),
        (
            with("cluster.silence_max = \"600ms\""),
            &[
                "cluster.heartbeat",
                "cluster.heartbeats_missed_max",
                "cluster.silence_max",
            ],
        ),
        (with("cluster.link_queue = \"17MiB\""), &["cluster.link_queue"]),
        (with("cluster.seeds = [\"a:4436\", \"b\"]"), &["cluster.seeds"]),
        (with("cluster.seeds = [\":4436\"]"), &["cluster.seeds"]),
        (with("cluster.seeds = [\"a:0\"]"), &["cluster.seeds"]),
        (with("cluster.bootstrap = [\"A\"]"), &["cluster.bootstrap"]),
        (with("cluster.advertise = \"node-a\""), &["cluster.advertise"]),
        (with(&cluster("node.zone = \"Zürich\"")), &["node.zone"]),
        (
            with(&cluster(&format!(
                "client.public_url = \"https://{}.example.org\"",
                "a".repeat(120)
            ))),
            &["client.public_url"],
        ),
        (with("slots.count = 1000"), &["slots.count"]),
        (with("slots.count = 0"), &["slots.count"]),
        (with("slots.channels_max = 0"), &["slots.channels_max"]),
        (
            with("slots.head_age = \"30s\""),
            &["slots.channel_idle", "slots.head_age"],
        ),
        (with("fanout.ring_messages = 0"), &["fanout.ring_messages"]),
        (
            with("fanout.ring_bytes = \"32KiB\""),
            &["namespaces[0].payload_max", "fanout.ring_bytes"],
        ),
        (with("fanout.linger = \"2d\""), &["fanout.linger"]),
        (
            format!("{LEAST}[[namespaces]]\nmatch = \"demo\"\n"),
            &["namespaces[1].match"],
        ),
        (
            format!("{KEY}[[namespaces]]\nmatch = \"_demo\""),
            &["namespaces[0].match"],
        ),
        (
            format!("{KEY}[[namespaces]]\nmatch = \"Demo\""),
            &["namespaces[0].match"],
        ),
        (
            format!("{KEY}[[namespaces]]\nmatch = \"demo:*\""),
            &["namespaces[0].match"],
        ),
        (
            namespace("durability = \"ephemeral\"\nhistory = { messages = 1 }"),
            &["namespaces[0].durability", "namespaces[0].history"],
        ),
        (
            namespace("durability = \"ephemeral\"\npolicy = \"recover\""),
            &["namespaces[0].policy", "namespaces[0].history"],
        ),
        (
            namespace("history = { bytes = \"1KiB\" }"),
            &["namespaces[0].history", "namespaces[0].payload_max"],
        ),
        (namespace("history = { age = \"0s\" }"), &["namespaces[0].history.age"]),
        (namespace("history = { age = \"2d\" }"), &["namespaces[0].history.age"]),
        (
            namespace("durability = \"persisted\"\nhistory = { age = \"4000d\" }"),
            &["namespaces[0].history.age"],
        ),
        (namespace("payload_max = \"0B\""), &["namespaces[0].payload_max"]),
        (namespace("keys_max = 0"), &["namespaces[0].keys_max"]),
        (
            namespace("keyed = true\nvalues_max = \"1KiB\""),
            &["namespaces[0].values_max", "namespaces[0].payload_max"],
        ),
        (namespace("tombstone_age = \"0s\""), &["namespaces[0].tombstone_age"]),
        (namespace("publishers_max = 0"), &["namespaces[0].publishers_max"]),
    ];
    for (file, keys) in cases {
        assert_eq!(conflict(&file).0, keys, "{file}");
    }
}

#[test]
fn bounds_are_taken_whole() {
    for keys in [
        "slots.count = 1",
        "slots.count = 32768",
        "session.heartbeat = \"1s\"",
        "session.window = \"0ms\"",
        "session.publishes_in_flight_max = 64",
        "limits = { connections_max = 1, connections_opening_max = 1, connections_per_address_max = 1 }",
        "client.listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nadmin.listen = \"127.0.0.1:0\"",
        "client.public_url = \"https://realtime.example.org:8443\"",
    ] {
        load_with(&format!("{keys}\n{LEAST}"), &[], &[]).expect(keys);
    }
}

#[test]
fn a_conflict_tells_who_set_its_keys() {
    let environment = [("STARLING_CLIENT__LISTEN", "[::]:4433")];
    let refused = refusal(LEAST, &environment, &[("auth.anonymous", "true")]);
    let lines: Vec<_> = refused.lines().collect();
    assert_eq!(lines.len(), 2, "{refused}");
    assert!(
        lines[0].starts_with("client.listen, client.tls.certificate: "),
        "{refused}"
    );
    assert!(lines[0].ends_with(" (set in STARLING_CLIENT__LISTEN)"), "{refused}");
    assert!(
        lines[1].ends_with(" (set in command line, STARLING_CLIENT__LISTEN)"),
        "{refused}"
    );
}

#[test]
fn a_node_with_peers_is_told_all_that_it_lacks() {
    let all = |file: &str| {
        let error = load_with(file, &[], &[]).expect_err(file);
        let keys = error.problems().iter().filter_map(|problem| match problem {
            Problem::Conflict { conflict, .. } => Some(conflict.keys[0].clone()),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    };
    let lacking = all(&format!("node.name = \"Node A\"\ncluster.enabled = true\n{LEAST}"));
    let first = ["id", "gossip_keys", "authority"].map(|key| format!("cluster.{key}"));
    assert_eq!(lacking, [&first[..], &["node.name".to_owned()]].concat());
    for (more, key) in [
        ("cluster.link_listen = \"0.0.0.0:4435\"", "cluster.advertise"),
        ("cluster.advertise = \"0.0.0.0\"", "cluster.advertise"),
        ("cluster.link_listen = \"127.0.0.1:4436\"", "cluster.gossip_listen"),
        ("cluster.gossip_listen = \"127.0.0.1:4433\"", "cluster.gossip_listen"),
    ] {
        let found = all(&format!("{}\n{LEAST}", cluster(more)));
        assert_eq!(found, [key], "{more}");
    }
    let anywhere = "cluster.advertise = \"10.0.0.1\"\ncluster.link_listen = \"[::]:4435\"";
    for whole in ["", anywhere] {
        let loaded = load_with(&format!("{}\n{LEAST}", cluster(whole)), &[], &[]).expect("it lacks nothing");
        assert!(loaded.config.cluster.enabled);
    }
}
