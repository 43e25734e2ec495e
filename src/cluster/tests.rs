//! Nodes of one process over loopback: they find each other, have one table, and are told when they are out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use starling_cluster::{ca, wire};
use starling_core::id::{Generation, NodeName, SlotId};
use starling_core::table::{Answer, Change, Command, Table};

use super::*;
use crate::config::Config;
use crate::directory::DirectoryError;

/// Time that anything may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the nodes of a test have in common.
struct Scene(PathBuf);

impl Scene {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("starling-cluster-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("makes");
        let scene = Self(path);
        scene.authority("ca");
        scene.write_keys(&["ab"]);
        scene
    }

    fn authority(&self, directory: &str) -> ca::Directory {
        let authority = ca::Directory::new(&self.0.join(directory));
        authority.init().expect("made");
        authority
    }

    fn write_keys(&self, keys: &[&str]) {
        let lines: Vec<_> = keys.iter().map(|key| key.repeat(32)).collect();
        std::fs::write(self.0.join("gossip.keys"), lines.join("\n")).expect("writes");
    }

    /// A node as it is configured: with a certificate of the authority in `ca` and its data in a directory of this name.
    fn config(&self, name: &str, ca: &str, data: &str, seeds: &[SocketAddr]) -> Config {
        let authority = self.0.join(ca);
        if !authority.join(format!("{name}.pem")).exists() {
            let node = NodeName::parse(name).expect("a name");
            let issued = ca::Directory::new(&authority).issue(&node, &[], ca::NODE_TIME);
            issued.expect("issued");
        }
        let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
        let file = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let text = format!(
            "node = {{ name = {name:?}, data_dir = {:?}, zone = \"z\" }}
            auth.anonymous = true
            [cluster]
            enabled = true
            id = \"test\"
            bootstrap = [\"a\", \"b\", \"c\"]
            seeds = {seeds:?}
            gossip_listen = \"127.0.0.1:0\"
            link_listen = \"127.0.0.1:0\"
            gossip_keys = {:?}
            authority = {:?}
            certificate = {:?}
            key = {:?}
            [[namespaces]]
            match = \"demo\"",
            file(&self.0.join(data)),
            file(&self.0.join("gossip.keys")),
            file(&authority.join("ca.pem")),
            file(&authority.join(format!("{name}.pem"))),
            file(&authority.join(format!("{name}.key"))),
        );
        let loaded = config::load(Some((Path::new("test.toml"), &text)), [], &[]);
        loaded.unwrap_or_else(|error| panic!("{error}")).config
    }

    async fn start(&self, name: &str, seeds: &[SocketAddr]) -> Node {
        Node::start(&self.config(name, "ca", name, seeds)).await
    }

    /// Three that have begun a cluster.
    async fn three(&self) -> [Node; 3] {
        let a = self.start("a", &[]).await;
        let seeds = [a.cluster.gossip];
        let (b, c) = (self.start("b", &seeds).await, self.start("c", &seeds).await);
        let nodes = [a, b, c];
        for node in &nodes {
            node.is_member().await;
        }
        nodes
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A node without its client port.
struct Node {
    cluster: Arc<Cluster>,
    metrics: Arc<Metrics>,
    _inboxes: SlotInboxes,
}

impl Node {
    async fn start(config: &Config) -> Self {
        let metrics = Arc::new(Metrics::new());
        let reached = Reached {
            urls: vec!["http://127.0.0.1:4433".to_owned()],
            tcp: "127.0.0.1:4433".parse().expect("an address"),
            webtransport: Some(vec!["0f".repeat(32)]),
        };
        let started = Cluster::start(config, reached, Arc::clone(&metrics)).await;
        let (cluster, inboxes) = started.unwrap_or_else(|error| panic!("{error}"));
        Self {
            cluster,
            metrics,
            _inboxes: inboxes,
        }
    }

    async fn is_member(&self) {
        let mut standing = self.cluster.standing();
        let member = standing.wait_for(|standing| !matches!(standing, Standing::Joining));
        let came = soon(&format!("{} is a member", self.cluster.me), member).await;
        assert!(matches!(*came.expect("it runs"), Standing::Member));
    }

    /// Waits until its copy of the table is like this.
    async fn table(&self, what: &str, holds: impl Fn(&Table) -> bool) {
        let mut changes = self.cluster.table.changes();
        soon(what, async {
            while !holds(&self.cluster.table.view()) {
                changes.changed().await.expect("it runs");
            }
        })
        .await;
    }

    async fn counts(&self, line: &str) {
        eventually(line, || self.metrics.render(0).contains(line)).await;
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, future).await;
    came.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// For what nobody tells of: asks until it holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn voters(nodes: &[&Node]) -> Vec<String> {
    let leads = nodes.iter().find_map(|node| node.cluster.table.members());
    let voters = leads.into_iter().flat_map(|members| members.voters.into_values());
    let mut voters: Vec<_> = voters.map(|name| name.to_string()).collect();
    voters.sort();
    voters
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_find_each_other_have_one_table_and_return_as_later_ones() {
    let scene = Scene::new("whole");
    let [a, b, c] = scene.three().await;
    let all = [&a, &b, &c];
    let ids = all.map(|node| node.cluster.me.clone());
    for node in all {
        node.table("all are registered", |table| {
            table.nodes().nodes().eq(ids.iter().cloned())
        })
        .await;
        node.counts("starling_cluster_links{state=\"up\"} 2").await;
    }
    eventually("one leads three voters", || voters(&all) == ["a", "b", "c"]).await;
    let view = a.cluster.membership.view();
    let facts = &view.members[&b.cluster.me.name].facts;
    assert_eq!(
        *facts,
        NodeFacts {
            table: facts.table,
            ..b.cluster.facts()
        }
    );
    assert_eq!(
        (facts.zone.as_str(), facts.probe, facts.wire),
        ("z", Some("127.0.0.1:4433".parse().expect("an address")), wire::VERSIONS)
    );

    let neighbours = a.cluster.neighbours();
    let told: Vec<_> = neighbours
        .iter()
        .map(|one| (one.name.as_str(), &*one.url, &one.webtransport))
        .collect();
    let pins = Some(vec!["0f".repeat(32)]);
    assert_eq!(told, ["b", "c"].map(|name| (name, "http://127.0.0.1:4433", &pins)));
    let drained = soon("b is asked", a.cluster.order(&b.cluster.me.name, Order::Drain)).await;
    assert_eq!(drained, Ok(Duty::Drained));
    eventually("who drains takes nobody", || a.cluster.alternates().len() == 1).await;

    // One that comes later is taken in, and votes only when it is needed.
    let d = scene.start("d", &[c.cluster.gossip]).await;
    d.is_member().await;
    d.table("it has the table", |table| table.nodes().nodes().count() == 4)
        .await;
    eventually("the voters stay", || voters(&all) == ["a", "b", "c"]).await;

    let before = b.cluster.me.clone();
    soon("it leaves", b.cluster.leave()).await;
    assert!(matches!(*b.cluster.standing().borrow(), Standing::Left));
    drop(b);
    let b = scene.start("b", &[a.cluster.gossip]).await;
    assert!(
        b.cluster.me.generation > before.generation,
        "{before} and {}",
        b.cluster.me
    );
    b.is_member().await;
    for node in [&a, &b, &c, &d] {
        node.table("the start of before is proved dead", |table| {
            table.nodes().is_proved_dead(&before)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_stays_linked_until_no_slot_counts_on_it() {
    let scene = Scene::new("leaving");
    let [a, b, _c] = scene.three().await;
    let (leaver, owner) = (a.cluster.me.clone(), b.cluster.me.clone());
    let slot = SlotId(7);
    let only = || BTreeSet::from([leaver.clone()]);
    let changes = [Change::Claim, Change::Grow { with: only() }];
    for (version, change) in (0..).zip(changes) {
        let by = owner.clone();
        let command = Command::Change {
            slot,
            version,
            by,
            change,
        };
        let outcome = soon("it is answered", b.cluster.table.submit(vec![command])).await;
        assert!(matches!(outcome.as_deref(), Ok([Ok(_)])), "{outcome:?}");
    }
    let counts = |table: &Table| table.record(slot).is_some_and(|record| record.isr.contains(&leaver));
    a.table("it is counted on", counts).await;

    let mut members = b.cluster.membership.changes();
    let cluster = Arc::clone(&a.cluster);
    let leaving = tokio::spawn(async move { cluster.leave().await });
    let said = gossip::Departure::Said;
    soon("b hears it", async {
        while !matches!(members.recv().await.expect("few"), gossip::Change::Left(node, why) if (&node, why) == (&leaver, said))
        {
        }
    })
    .await;
    let link = b.cluster.links.of(&leaver.name).expect("it is linked");
    assert_eq!(link.state(), link::PeerState::Up);
    assert!(!leaving.is_finished(), "a slot counts on it");
    let command = Command::Change {
        slot,
        version: 2,
        by: owner,
        change: Change::Shrink { without: only() },
    };
    // Whichever of the three leads the table: the one that leaves still does its part.
    let outcome = soon("it is answered", b.cluster.table.submit(vec![command])).await;
    assert!(matches!(outcome.as_deref(), Ok([Ok(_)])), "{outcome:?}");
    soon("it leaves", leaving).await.expect("it does not panic");
    eventually("its link is forgotten", || b.cluster.links.of(&leaver.name).is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_heard_and_settings_that_differ_are_told_of() {
    let scene = Scene::new("facts");
    let a = scene.start("a", &[]).await;
    let other = scene.config("b", "ca", "b", &[a.cluster.gossip]);
    let mut differs = other.clone();
    differs.namespaces[0].keys_max += 1;
    let b = Node::start(&differs).await;
    a.counts("starling_cluster_settings_differ 1").await;
    b.counts("starling_cluster_settings_differ 1").await;

    let mut changes = a.cluster.membership.changes();
    b.cluster.report(|| {
        Some(Report {
            sessions: 17,
            webtransport: None,
        })
    });
    b.cluster.end();
    soon("a hears it", async {
        loop {
            let view = a.cluster.membership.view();
            let facts = view.members.get(&b.cluster.me.name).map(|member| &member.facts);
            if facts.is_some_and(|facts| (facts.load, facts.phase, &facts.webtransport) == (17, Phase::Draining, &None))
            {
                return;
            }
            changes.recv().await.expect("few changes");
        }
    })
    .await;
    soon("it leaves", b.cluster.leave()).await;
    drop(b);
    let _b = Node::start(&other).await;
    a.counts("starling_cluster_settings_differ 0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_with_one_name_the_older_is_out_and_one_directory_has_one_node() {
    let scene = Scene::new("twins");
    let [a, b, older] = scene.three().await;
    let same = scene.config("c", "ca", "c", &[]);
    let reached = Reached {
        urls: Vec::new(),
        tcp: "127.0.0.1:4433".parse().expect("an address"),
        webtransport: None,
    };
    let refused = Cluster::start(&same, reached, Arc::new(Metrics::new())).await.err();
    assert!(matches!(
        refused,
        Some(ClusterError::Directory(DirectoryError::Taken { .. }))
    ));

    let younger = Node::start(&scene.config("c", "ca", "elsewhere", &[a.cluster.gossip])).await;
    let generation = younger.cluster.me.generation;
    let why = soon("the older is told", older.cluster.out()).await;
    assert!(
        matches!(*why, Out::Superseded { generation: by } if by == generation),
        "{why}"
    );
    soon("it leaves", older.cluster.leave()).await;
    assert!(
        matches!(*older.cluster.standing().borrow(), Standing::Out(_)),
        "the reason stays"
    );
    younger.is_member().await;
    eventually("it votes in the place of the older", || {
        let leads = [&a, &b, &younger]
            .into_iter()
            .find_map(|node| node.cluster.table.members());
        leads.is_some_and(|members| {
            members.voters.len() == 3 && members.voters.contains_key(&younger.cluster.table.raft_id())
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_declared_lost_is_out_and_its_next_start_is_not() {
    let scene = Scene::new("buried");
    let [a, b, c] = scene.three().await;
    let bury = Command::Bury {
        name: c.cluster.me.name.clone(),
    };
    let buried = soon("it is answered", a.cluster.table.submit(vec![bury])).await;
    assert_eq!(buried, Ok(vec![Ok(Answer::Done)]));
    let why = soon("it is told", c.cluster.out()).await;
    assert!(matches!(*why, Out::Buried), "{why}");
    soon("it leaves", c.cluster.leave()).await;
    drop(c);
    let c = scene.start("c", &[b.cluster.gossip]).await;
    c.is_member().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_lets_nobody_in_and_is_counted() {
    let scene = Scene::new("strangers");
    let [a, b, c] = scene.three().await;
    scene.authority("others");
    let stranger = Node::start(&scene.config("d", "others", "d", &[a.cluster.gossip])).await;
    // It has the key of gossip. Whoever it calls does not believe it, nor does it believe them.
    for node in [&a, &stranger] {
        node.counts("starling_cluster_gossip_refused_total{reason=\"untrusted\"}")
            .await;
    }
    // This one believes them, and dials, as the one whose name is less does.
    let mut config = scene.config("0", "others", "0", &[a.cluster.gossip]);
    config.cluster.authority = scene.0.join("ca/ca.pem");
    let sly = Node::start(&config).await;
    for node in [&a, &b, &c, &sly] {
        node.counts("starling_cluster_link_handshakes_total{result=\"untrusted\"}")
            .await;
    }
    assert_eq!(stranger.cluster.links.all().len(), 0);
    let links = sly.cluster.links.all();
    assert!(links.iter().all(|link| link.state() != link::PeerState::Up));
    for node in [&stranger, &sly] {
        assert!(matches!(*node.cluster.standing().borrow(), Standing::Joining));
    }
    for node in [&a, &b, &c] {
        assert_eq!(node.cluster.membership.view().members.len(), 2);
        assert_eq!(node.cluster.links.all().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_certificates_are_read_again_and_bad_ones_change_nothing() {
    let scene = Scene::new("reload");
    let a = scene.start("a", &[]).await;
    let expiry = |node: &Node| {
        let text = node.metrics.render(0);
        let line = text
            .lines()
            .find(|line| line.starts_with("starling_cluster_certificate_expiry_timestamp_seconds "));
        line.expect("it is told").to_owned()
    };
    let before = expiry(&a);
    let files = ["gossip.keys", "ca/a.pem"].map(|file| scene.0.join(file));
    let good = files.each_ref().map(|file| std::fs::read(file).expect("reads"));
    for file in &files {
        std::fs::write(file, "neither").expect("writes");
    }
    a.cluster.reload();
    assert_eq!(expiry(&a), before);
    let [keys, _] = &good;
    std::fs::write(&files[0], keys).expect("writes");
    // With the old key still in use the other node is heard, and with the new one it is heard again.
    let b = scene.start("b", &[a.cluster.gossip]).await;
    a.counts("starling_cluster_members{state=\"live\"} 1").await;
    scene.write_keys(&["cd"]);
    let shorter = ca::NODE_TIME / 2;
    for file in ["a.pem", "a.key"] {
        std::fs::remove_file(scene.0.join("ca").join(file)).expect("removes");
    }
    let issued = ca::Directory::new(&scene.0.join("ca")).issue(&a.cluster.me.name, &[], shorter);
    let issued = issued.expect("issued");
    a.cluster.reload();
    b.cluster.reload();
    assert!(
        expiry(&a).ends_with(&format!(" {}", issued.expires)),
        "{} and {}",
        expiry(&a),
        issued.expires
    );
    let c = scene.start("c", &[a.cluster.gossip]).await;
    for node in [&a, &b, &c] {
        node.is_member().await;
    }
    // The certificate that a says things with is the new one, too.
    a.cluster.end();
    eventually("a is heard with its new certificate", || {
        let view = c.cluster.membership.view();
        let member = view.members.get(&a.cluster.me.name);
        member.is_some_and(|member| member.facts.phase == Phase::Draining)
    })
    .await;
    assert!(c.cluster.me.generation > Generation(0));
}
