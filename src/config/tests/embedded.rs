//! The embedded files hold, and say what the code does.

use super::*;

/// Prose starts with "# ", a key that has no default value with "#": taken off, the namespace is a real entry.
fn default_with_namespace() -> Config {
    let uncommented = DEFAULT.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        _ => line,
    });
    let text = uncommented.collect::<Vec<_>>().join("\n");
    toml::from_str(&text).expect("the default file with its namespace")
}

#[test]
fn the_default_file_holds_every_key_and_no_other() {
    // Every field of every section is required and no other is taken, so reading it proves both.
    let config = Config::default();
    assert_eq!(config.namespaces, []);
    let written = toml::Table::try_from(&config).expect("it serializes");
    let mut read: toml::Table = toml::from_str(DEFAULT).expect("it is TOML");
    read.insert("namespaces".to_owned(), toml::Value::Array(Vec::new()));
    assert_eq!(written, read, "the file writes each value the way it is shown");
}

#[test]
fn the_default_namespace_is_the_one_the_default_file_shows() {
    let config = default_with_namespace();
    assert_eq!(config.namespaces, [Namespace::new("demo")]);
    let shown = DEFAULT.split("#[[namespaces]]").nth(1).expect("an entry is shown");
    let keys = toml::Table::try_from(Namespace::new("demo")).expect("it serializes");
    for key in keys.keys() {
        assert!(shown.contains(&format!("\n#{key} = ")), "{key} is not shown");
    }
    assert_eq!(config.check(), [], "the defaults with one namespace hold");
    let (keys, api_keys) = (&config.auth.keys, &config.auth.api_keys);
    assert_eq!(
        (keys.len(), api_keys.len()),
        (1, 1),
        "the entries that are shown are whole"
    );
    for (list, keys) in [
        ("keys", toml::Table::try_from(Key::example())),
        ("api_keys", toml::Table::try_from(ApiKey::example())),
    ] {
        let shown = DEFAULT
            .split(&format!("#[[auth.{list}]]"))
            .nth(1)
            .expect("an entry is shown");
        for key in keys.expect("it serializes").keys() {
            assert!(shown.contains(&format!("\n#{key} = ")), "{list}: {key} is not shown");
        }
    }
}

#[test]
fn the_defaults_are_the_ones_the_protocol_names() {
    use starling_protocol::limits;
    let (config, namespace) = (Config::default(), Namespace::new("demo"));
    assert_eq!(
        config.session.hello_timeout,
        Duration::from_millis(limits::HELLO_DEADLINE_MS)
    );
    assert_eq!(
        config.session.heartbeat,
        Duration::from_millis(limits::HEARTBEAT_MS_DEFAULT.into())
    );
    assert_eq!(config.session.channels_max, limits::CHANNELS_DEFAULT);
    assert_eq!(
        config.session.publishes_in_flight_max,
        limits::PUBLISHES_IN_FLIGHT_DEFAULT
    );
    assert_eq!(config.limits.frame.as_usize(), limits::CLIENT_FRAME_BYTES_DEFAULT);
    assert_eq!(namespace.payload_max.as_usize(), limits::PAYLOAD_BYTES_DEFAULT);
}

#[test]
fn every_key_of_the_default_file_has_a_reason_above_it() {
    let lines: Vec<_> = DEFAULT.lines().collect();
    for pair in lines.windows(2) {
        let is_prose = |line: &str| line.starts_with("# ");
        let is_key = !pair[1].is_empty() && !is_prose(pair[1]) && pair[1] != "#";
        assert!(!is_key || is_prose(pair[0]), "`{}` has no comment above it", pair[1]);
    }
}

#[test]
fn the_development_file_holds_on_any_port() {
    for (port, admin) in [(4433, 4434), (0, 0), (65_535, 0)] {
        let config = Config::for_dev(port, Path::new("/tmp/data"));
        assert_eq!(config.admin.listen.port(), admin);
        assert!(config.client.listen.iter().all(|address| address.port() == port));
        assert_eq!(config.node.data_dir, Path::new("/tmp/data"));
        assert!(config.auth.anonymous && config.client.is_loopback());
    }
    let config = Config::for_dev(4433, Path::new("/tmp/data"));
    assert_eq!(config.namespace("demo").map(|demo| demo.policy), Some(Policy::Recover));
    assert_eq!(
        config.namespace("live").map(|live| live.durability),
        Some(Durability::Ephemeral)
    );
    assert_eq!(config.namespace("nowhere"), None);
}

#[test]
fn the_production_example_holds() {
    let file = include_str!("../../../config/production.toml");
    let loaded = load_with(file, &[], &[]).expect("the example");
    assert!(!loaded.config.client.is_loopback());
    assert!(loaded.config.client.tls.files().is_some());
    assert!(!loaded.config.auth.anonymous);
}

#[test]
fn the_cluster_of_three_differs_in_names_and_ports_only() {
    let log = include_str!("../../../config/cluster/log.toml");
    let files = [
        include_str!("../../../config/cluster/a.toml"),
        include_str!("../../../config/cluster/b.toml"),
        include_str!("../../../config/cluster/c.toml"),
    ];
    let first = load_with(files[0], &[], &[]).expect("a").config;
    let dev = Config::for_dev(4433, Path::new("unused"));
    let sorted = |config: &Config| {
        let mut namespaces = config.namespaces.clone();
        namespaces.sort_by(|one, other| one.name.cmp(&other.name));
        namespaces
    };
    for ((file, name), port) in files.into_iter().zip(["a", "b", "c"]).zip([4433, 4443, 4453]) {
        let config = load_with(file, &[], &[]).expect(name).config;
        assert_eq!(config.node.name, name);
        let cluster = &config.cluster;
        let ports = [
            config.client.listen[0],
            config.admin.listen,
            cluster.link_listen,
            cluster.gossip_listen,
        ];
        assert_eq!(
            ports.map(|address| address.port()),
            [port, port + 1, port + 2, port + 3]
        );
        assert!(cluster.seeds.contains(&cluster.gossip_listen.to_string()));
        assert!(config.client.is_loopback() && config.auth.anonymous);
        let shared = load_with(&format!("{file}{log}"), &[], &[]).expect(name).config;
        assert_eq!(sorted(&shared), sorted(&dev), "the namespaces of `starling dev`");
        let mut as_a = config.clone();
        (as_a.node, as_a.client, as_a.admin) = (first.node.clone(), first.client.clone(), first.admin.clone());
        let (own, of_a) = (&mut as_a.cluster, &first.cluster);
        (own.link_listen, own.gossip_listen) = (of_a.link_listen, of_a.gossip_listen);
        (own.certificate, own.key) = (of_a.certificate.clone(), of_a.key.clone());
        assert_eq!(as_a, first);
    }
}

#[test]
fn a_cluster_is_tuned_as_its_parts_are_by_themselves() {
    let cluster = Config::default().cluster;
    assert_eq!(cluster.gossip(), starling_cluster::gossip::Tuning::default());
    assert_eq!(cluster.links(), starling_cluster::link::Settings::default());
    assert_eq!(cluster.advertised(), Some([127, 0, 0, 1].into()));
}
