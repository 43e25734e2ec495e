use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::channel::{Ack, From, Outcome, Publish, Refusal};
use starling_core::id::{Author, ChannelName, PublisherId, Serial, Subject};
use starling_core::session::request::RequestId;
use starling_core::slot::Origin;

use super::channel::Message;
use super::registry::Registry;
use super::reply::Reply;
use super::slot;
use crate::auth::Auth;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::node::Services;
use crate::session::{Delivery, Mailbox};

mod stored;

const LOGGED: &str = "demo:lobby";
const EPHEMERAL: &str = "live:lobby";

async fn registry() -> Registry {
    let mut config = Config::for_dev(0, std::path::Path::new("unused"));
    config.slots.channel_idle = Duration::from_secs(10);
    config.fanout.linger = Duration::from_secs(5);
    let auth = Auth::new(&config.auth).expect("a node without keys");
    let services = Services::new(config, auth, Arc::new(Metrics::new()), None, None);
    Registry::start(Arc::new(services), None).await.expect("starts")
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a valid name")
}

type Answer = tokio::sync::oneshot::Receiver<Result<Ack, Refusal>>;

/// A publish, and where its answer comes.
fn draft(registry: &Registry, serial: u64) -> (Publish<Reply>, Answer) {
    let (to, answer) = Reply::to_http();
    let author = Author {
        subject: Subject::new("anna"),
        publisher: PublisherId([1; 16]),
    };
    let publish = Publish {
        to,
        origin: Origin::Publisher {
            author,
            serial: Serial(serial),
            base: Serial(serial),
        },
        key: None,
        deleted: false,
        payload: Bytes::from_static(b"hello"),
        since: registry.services().clock.now().wall,
    };
    (publish, answer)
}

async fn publish(registry: &Registry, channel: &str, serial: u64) -> Result<Ack, Refusal> {
    let (publish, answer) = draft(registry, serial);
    registry.send(&name(channel), Message::Publish(vec![publish])).await;
    answer.await.expect("no question goes unanswered")
}

/// Lets the clock run until every channel has retired.
async fn all_retired(registry: &Registry) {
    for _ in 0..600 {
        if registry.channels() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} channels did not retire within a minute", registry.channels());
}

#[tokio::test(start_paused = true)]
async fn a_retired_channel_forgets_nothing() {
    let registry = registry().await;
    for channel in [LOGGED, EPHEMERAL] {
        let first = publish(&registry, channel, 1).await.expect("published");
        assert_eq!(registry.channels(), 1);
        all_retired(&registry).await;
        let again = publish(&registry, channel, 1).await.expect("answered");
        assert_eq!(
            (again.duplicate, &again.position),
            (true, &first.position),
            "{channel}: its publishers are known"
        );
        let second = publish(&registry, channel, 2).await.expect("published");
        let (first, second) = (first.position.expect("published"), second.position.expect("published"));
        assert_eq!(
            (first.epoch, first.seq.next()),
            (second.epoch, second.seq),
            "{channel}: its head is known"
        );
        all_retired(&registry).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_read_does_not_retire() {
    let registry = registry().await;
    let mailbox = Arc::new(Mailbox::default());
    let to = Reply::to_attach(Arc::clone(&mailbox), RequestId(1));
    let attach = Message::Attach { to, from: From::Head };
    registry.send(&name(LOGGED), attach).await;
    let feed = loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(Delivery::Attached { feed, attachment, .. }) = mailbox.take_answers().pop() {
            assert_eq!(attachment.outcome, Outcome::Rewound(0));
            break feed;
        }
    };
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(registry.channels(), 1, "whoever was answered may still join");
    publish(&registry, LOGGED, 1).await.expect("published");
    assert_eq!(feed.span().head.0, 1, "the feed moves on");
    drop(feed);
    all_retired(&registry).await;
    assert!(registry.services().gateway.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_set_aside_refuses() {
    let registry = registry().await;
    let quarantine = slot::Message::Quarantine { channel: name(LOGGED) };
    registry.slot_of(&name(LOGGED)).post_single(quarantine).expect("runs");
    assert_eq!(publish(&registry, LOGGED, 1).await, Err(Refusal::Quarantined));
    assert!(publish(&registry, "demo:other", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_actor_is_started_again_with_what_the_slot_holds() {
    let registry = registry().await;
    let first = publish(&registry, LOGGED, 1).await.expect("published");
    registry.channel(&name(LOGGED)).stop("test");
    tokio::time::sleep(Duration::from_millis(10)).await;
    let again = publish(&registry, LOGGED, 1).await.expect("published");
    assert_eq!((again.duplicate, again.position), (true, first.position));
}

#[tokio::test(start_paused = true)]
async fn many_channels_at_once_each_keep_their_order() {
    let registry = registry().await;
    for serial in 1..=20 {
        for channel in 0..50 {
            let ack = publish(&registry, &format!("demo:{channel}"), serial)
                .await
                .expect("published");
            assert_eq!(ack.position.expect("published").seq.0, serial);
        }
    }
    assert_eq!(registry.channels(), 50);
}

#[tokio::test(start_paused = true)]
async fn publishes_that_come_together_are_one_turn_and_answered_each() {
    let registry = registry().await;
    publish(&registry, LOGGED, 1).await.expect("published");
    let (publishes, answers): (Vec<_>, Vec<_>) = (2..=5).map(|serial| draft(&registry, serial)).unzip();
    registry.send(&name(LOGGED), Message::Publish(publishes)).await;
    for (seq, answer) in (2..).zip(answers) {
        let ack = answer.await.expect("answered").expect("published");
        assert_eq!(ack.position.expect("a place").seq.0, seq);
    }
}
