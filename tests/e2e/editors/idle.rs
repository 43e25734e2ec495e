//! Documents that nobody has open any more leave memory, and the memory goes back to the system.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Line, serving};
use crate::support::directory::Directory;
use crate::support::eventually::eventually_within;
use crate::support::from_environment;
use crate::support::node::Node;

/// Documents in the short form. `make endurance` has a thousand.
const DOCUMENTS: u64 = 50;

/// Text of each, and of one edit.
const TEXT_BYTES: usize = 100_000;
const EDIT_BYTES: usize = 10_000;

/// Editors that write at the same time.
const AT_ONCE: u64 = 50;

/// What may stay resident: what the allocator keeps for the next, and pages that are in use by little.
const RESIDENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Documents go after `documents.idle`, pages over ten seconds more, and then some on a machine that does other things.
const IDLE_TIME_MAX: Duration = Duration::from_secs(45);

/// And each has a snapshot and a version to be written first, which all of them want at once.
const WRITTEN_WITHIN: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_nobody_has_open_leave_nothing_in_memory() {
    let documents = from_environment("STARLING_IDLE_DOCUMENTS", DOCUMENTS);
    let directory = Directory::new();
    let settings = serving(&directory)
        .set("documents.idle", "1s")
        .set("slots.open_rate", "0");
    let settings = settings
        .set("documents.message_rate", "0")
        .set("limits.connections_per_address_max", "2000");
    let node = Node::start(settings).await;
    let (_, resident) = figures_when(&node, AT_ONCE, |_, _| true).await;
    // What is made once is no document's: threads, the store's statements, room for whoever comes next.
    visit(&node, "warm", AT_ONCE).await;
    let (heap, _) = figures_when(&node, AT_ONCE, |_, _| true).await;
    let before = (heap, resident);
    visit(&node, "one", documents).await;
    let after = figures_when(&node, documents, |heap, resident| is_back(before, heap, resident)).await;
    println!(
        "{documents} documents: heap {} then {} kB; resident {} then {} kB",
        before.0 / 1_000,
        after.0 / 1_000,
        before.1 / 1_000,
        after.1 / 1_000
    );
    node.is_unharmed().await;
    node.stop().await;
}

/// Whether no more is in use than a tenth above what was, and resident no more than what may stay.
fn is_back(before: (u64, u64), heap: u64, resident: u64) -> bool {
    heap <= before.0 + before.0 / 10 && resident <= before.1 + RESIDENT_BYTES_MAX
}

/// Opens so many documents, writes in each, and leaves them all.
async fn visit(node: &Node, name: &str, documents: u64) {
    let mut lines = Vec::new();
    while (lines.len() as u64) < documents {
        let begun = lines.len() as u64;
        let some = begun..documents.min(begun + AT_ONCE);
        lines.extend(join_all(some.map(|number| write(node, format!("/yjs/{name}-{number}")))).await);
    }
    let most = node.metrics().await;
    println!(
        "{name}: {} kB in the heap with {documents} open",
        most.value("starling_process_heap_bytes") / 1e3
    );
}

/// An editor that has written all of its text, and knows that it is saved.
async fn write(node: &Node, path: String) -> Line {
    let mut line = Line::open(node, &path).await;
    assert_eq!(line.hears().await.as_deref(), Ok("00 00 01 00"));
    for at in (0..TEXT_BYTES).step_by(EDIT_BYTES) {
        let edit = edit(at);
        line.send(&edit).await;
        assert_eq!(line.hears().await, Ok(super::hex(&edit)));
    }
    line
}

/// The frame of an edit that goes on where text ends that has so many bytes.
fn edit(at: usize) -> Vec<u8> {
    let mut update = vec![1, 1, 1];
    update.extend(uint(at));
    match at.checked_sub(1) {
        None => update.extend(b"\x04\x01\x01t"),
        Some(last) => {
            update.extend([0x84, 1]);
            update.extend(uint(last));
        }
    }
    update.extend(uint(EDIT_BYTES));
    update.extend([b'x'; EDIT_BYTES]);
    update.push(0);
    [&[0, 2][..], &uint(update.len()), &update].concat()
}

fn uint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// The bytes of the heap and those that are resident, once no document is open and they are as they should be.
async fn figures_when(node: &Node, documents: u64, are_right: impl Fn(u64, u64) -> bool) -> (u64, u64) {
    let mut last = (0, 0);
    eventually_within(
        IDLE_TIME_MAX + WRITTEN_WITHIN * documents as u32,
        "the memory of documents that nobody has open",
        async || {
            let metrics = node.metrics().await;
            let open = metrics.sum("starling_documents_open", &[]);
            let [heap, resident] =
                ["heap", "resident"].map(|what| metrics.value(&format!("starling_process_{what}_bytes")) as u64);
            if last != (heap / 1_000_000, resident / 1_000_000) {
                last = (heap / 1_000_000, resident / 1_000_000);
                println!("{open} open, {} MB in the heap, {} MB resident", last.0, last.1);
            }
            (open == 0.0 && are_right(heap, resident)).then_some((heap, resident))
        },
    )
    .await
}
