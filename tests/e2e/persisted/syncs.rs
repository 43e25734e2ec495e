//! Each acknowledgement follows the sync that covers it.
//!
//! `kill -9` keeps what the kernel has in its page cache, so it cannot show this. strace can: it notes when the node
//! asks the disk to keep the write-ahead log, and when the disk says that it has.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use starling_mesh::transport::Transport;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::persisted;
use crate::support::directory::Directory;
use crate::support::eventually::{becomes, eventually, soon};
use crate::support::node::Node;

const CHANNEL: &str = "log:synced";

/// A sync of the log, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sync {
    began: f64,
    ended: f64,
}

/// strace on a node.
struct Tracer {
    process: Child,
    notes: PathBuf,
}

impl Tracer {
    async fn attach(pid: i32, directory: &Directory) -> Self {
        let notes = directory.path().join("syncs");
        let mut process = Command::new("strace")
            .args(["-f", "-y", "-ttt", "-T", "-e", "trace=fdatasync,fsync", "-o"])
            .arg(&notes)
            .args(["-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("strace is installed: scripts/need strace");
        let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let attached = async {
            while let Some(line) = said.next_line().await.expect("it speaks") {
                if line.contains("attached") {
                    return;
                }
                assert!(!line.contains("ptrace"), "{line}");
            }
            panic!("strace ended");
        };
        soon("strace to attach", attached).await;
        // It goes on speaking of threads; nobody has to listen, but the pipe must not break.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { process, notes }
    }

    fn syncs(&self) -> Vec<Sync> {
        read(&self.notes)
    }
}

fn read(notes: &Path) -> Vec<Sync> {
    let text = std::fs::read_to_string(notes).unwrap_or_default();
    let mut began = std::collections::BTreeMap::new();
    let mut syncs = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(at)) = (words.next(), words.next().and_then(|at| at.parse::<f64>().ok())) else {
            continue;
        };
        if line.contains("<unfinished") {
            if line.contains("starling.db-wal") {
                began.insert(thread.to_owned(), at);
            }
        } else if line.contains("resumed>") {
            syncs.extend(began.remove(thread).map(|began| Sync { began, ended: at }));
        } else if line.contains("starling.db-wal") && line.contains("= 0 <") {
            let took = line
                .rsplit_once('<')
                .and_then(|(_, took)| took.trim_end_matches('>').parse::<f64>().ok());
            syncs.push(Sync {
                began: at,
                ended: at + took.expect("strace says how long it took"),
            });
        }
    }
    syncs
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}

#[tokio::test]
async fn an_acknowledgement_follows_the_sync_that_covers_it() {
    const ALONE: usize = 40;
    const TOGETHER: usize = 60;
    let directory = Directory::new();
    let node = Node::start(persisted(&directory)).await;
    let client = node.client(Transport::WebSocket);
    soon("an ack", client.publish(CHANNEL, "the first"))
        .await
        .expect("acknowledged");
    let tracer = Tracer::attach(node.pid_number(), &directory).await;

    let mut acknowledged = Vec::new();
    for number in 0..ALONE {
        let sent = now();
        soon("an ack", client.publish(CHANNEL, number.to_string()))
            .await
            .expect("acknowledged");
        acknowledged.push((sent, now()));
    }
    let covers = |sync: &Sync, &(sent, acked): &(f64, f64)| sync.began >= sent && sync.ended <= acked;
    // strace writes its notes when it gets to it.
    let missing = async || {
        let syncs = tracer.syncs();
        let uncovered = |ack: &&(f64, f64)| !syncs.iter().any(|sync| covers(sync, ack));
        acknowledged.iter().filter(uncovered).count()
    };
    becomes(
        "acknowledgements without a sync between them and their publish",
        0,
        missing,
    )
    .await;
    let alone = tracer.syncs().len();
    assert!(
        alone >= ALONE,
        "{alone} syncs for {ALONE} publishes one after the other"
    );

    let sent = now();
    let together = (0..TOGETHER).map(|number| client.publish(CHANNEL, number.to_string()));
    for published in soon("the acks", join_all(together)).await {
        published.expect("acknowledged");
    }
    let syncs = eventually("a sync after the last was sent", async || {
        let syncs = tracer.syncs();
        syncs.last().is_some_and(|last| last.began >= sent).then_some(syncs)
    })
    .await;
    let shared = syncs.len() - alone;
    println!("{shared} syncs for {TOGETHER} publishes at once");
    assert!(shared < TOGETHER, "publishes of the same moment share a sync");
    drop(tracer.process);
    client.close().await;
    node.stop().await;
}
