//! A reader that missed fifty thousand messages.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use starling_client::{Event, SubscribeOptions};
use starling_mesh::transport::Transport;
use starling_protocol::v1::attach::From;
use starling_protocol::v1::{Policy, Position};

use super::persisted;
use crate::support::directory::Directory;
use crate::support::eventually::soon;
use crate::support::node::Node;
use crate::support::over_both;
use crate::support::raw::Raw;
use crate::support::reader::{Reader, Told};

const CHANNEL: &str = "log:long";

const MISSED: u64 = 50_000;

/// Bytes of each message: fifty megabytes together.
const PAYLOAD: usize = 1_000;

/// What the node's memory may grow by while it pages: a few pages, encoded, and what the allocator keeps of others.
const GROWTH_BYTES_MAX: u64 = 20 << 20;

/// How long another client may wait for its publish and the delivery of it: a few milliseconds without the paging, and
/// this much on two cores that build something else.
const OTHERS_WAIT_MAX: Duration = Duration::from_millis(500);

over_both! {
    a_long_absence_is_paged
}

async fn a_long_absence_is_paged(transport: Transport) {
    let directory = Directory::new();
    let mut node = Node::start(persisted(&directory)).await;
    let epoch = fill(&node).await;
    // A process that has none of it in memory.
    node.kill().await;
    let node = Node::start_again(node).await;
    let beside = Beside::new(&node, transport);
    beside.turn().await;

    let raw = Raw::open(&node, transport).await;
    let from = From::Position(Position {
        epoch: epoch.clone(),
        seq: 0,
        term: 0,
    });
    let mut reader = Reader::attach(raw, CHANNEL, Some(from), Policy::Unspecified).await;
    assert_eq!((&reader.epoch, reader.attached.head, reader.last), (&epoch, MISSED, 0));
    let before = node.resident_bytes();
    let (worst, most) = (Cell::new(Duration::ZERO), Cell::new(0));
    let others = async {
        loop {
            worst.set(worst.get().max(beside.turn().await));
            most.set(most.get().max(node.resident_bytes()));
        }
        #[expect(unreachable_code, reason = "says what the block would give")]
        std::convert::identity::<Infallible>(unreachable!("a loop without end"))
    };
    let pages = tokio::select! {
        pages = read(&mut reader) => pages,
        never = others => match never {},
    };
    let grown = most.get().saturating_sub(before);
    println!(
        "{pages} pages, at most {grown} bytes more, others waited {:?} at most",
        worst.get()
    );
    assert!(pages >= 200, "in {pages} pages");
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more than before");
    assert!(worst.get() < OTHERS_WAIT_MAX, "others waited for {:?}", worst.get());
    assert_eq!(node.metrics().await.sum("starling_store_errors_total", &[]), 0.0);
    node.stop().await;
}

/// Publishes what is missed, as fast as a client may, and gives its epoch.
async fn fill(node: &Node) -> String {
    let publisher = node.client(Transport::WebSocket);
    let mut waiting = FuturesUnordered::new();
    let mut epoch = None;
    for number in 1..=MISSED {
        let pending = publisher.enqueue(CHANNEL, format!("{number:PAYLOAD$}")).await;
        waiting.push(pending.expect("the client goes on"));
        if waiting.len() == 64 || number == MISSED {
            while let Some(published) = waiting.next().await {
                epoch = Some(published.expect("acknowledged").position.epoch);
                if number < MISSED && waiting.len() < 32 {
                    break;
                }
            }
        }
    }
    publisher.close().await;
    epoch.expect("some were published").to_string()
}

/// Reads to the end, and counts the pages.
async fn read(reader: &mut Reader) -> u32 {
    let mut pages = 0;
    while reader.last < MISSED {
        match reader.next().await {
            Told::Messages { entries, is_page } => {
                pages += u32::from(is_page);
                assert!(reader.page_bytes <= 256 << 10, "a page of {} bytes", reader.page_bytes);
                for (seq, payload) in entries {
                    let text = std::str::from_utf8(&payload).expect("text");
                    assert_eq!(text.trim_start().parse(), Ok(seq), "message {seq}");
                }
            }
            other => panic!("{other:?}"),
        }
    }
    pages
}

/// A publisher and a reader of a channel that has nothing to do with it.
struct Beside {
    publisher: starling_client::Client,
    events: tokio::sync::Mutex<Option<starling_client::Subscription>>,
}

impl Beside {
    fn new(node: &Node, transport: Transport) -> Self {
        Self {
            publisher: node.client(transport),
            events: tokio::sync::Mutex::new(None),
        }
    }

    /// How long a message takes to its acknowledgement and its reader.
    async fn turn(&self) -> Duration {
        const OTHER: &str = "demo:other";
        let mut events = self.events.lock().await;
        if events.is_none() {
            let subscribing = self.publisher.subscribe(OTHER, SubscribeOptions::default());
            *events = Some(soon("a subscription", subscribing).await.expect("attached"));
        }
        let events = events.as_mut().expect("there by now");
        let began = Instant::now();
        let published = soon("an ack", self.publisher.publish(OTHER, "hello"))
            .await
            .expect("published");
        loop {
            match soon("the message", events.next()).await {
                Some(Event::Message(message)) if message.position == published.position => return began.elapsed(),
                Some(_) => {}
                None => panic!("the subscription ended"),
            }
        }
    }
}
