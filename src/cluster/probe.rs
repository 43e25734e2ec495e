//! Whether a message gets through: the node publishes one itself, on the way that its clients' take, and sees whether
//! it comes back.
//!
//! A node may be a member, hold its copies and answer every port, and yet acknowledge nothing: cut off from the others,
//! or starved. Only a publish shows that. The channel is one that this node owns if it owns any, and another each time: a slot
//! that has lost all its copies is no reason to send clients away from all others.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::channel::{From, Publish};
use starling_core::id::{ChannelName, SlotId, slot_of};
use starling_core::session::request::RequestId;
use starling_core::slot::Origin;
use tokio::time::{Instant, sleep, timeout};

use super::Cluster;
use crate::actor::channel::Message;
use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::actor::slot::Route;
use crate::fanout::Feed;
use crate::session::{Delivery, Mailbox};

/// The namespace of the channels that are probed. No configuration can name it.
pub const NAMESPACE: &str = "_probe";

/// Time between two probes. A balancer asks about as often.
const EVERY: Duration = Duration::from_secs(2);

/// How long a message may take: longer than a slot is without an owner after a crash takes two probes to notice.
const PATIENCE: Duration = Duration::from_secs(2);

/// Failures in a row after which clients should go elsewhere: one may meet a slot whose owner has just died.
const FAILURES_MAX: u32 = 2;

/// How often it looks whether an answer is there.
const LOOK: Duration = Duration::from_millis(5);

/// Probes for as long as the node takes part.
pub async fn run(registry: Registry, cluster: Arc<Cluster>) {
    let mut failures = 0;
    let mut last = SlotId(0);
    loop {
        last = next(&registry, last);
        let passed = timeout(PATIENCE, passes(&registry, &name_in(last, registry.services().slots))).await;
        failures = if passed.unwrap_or(false) { 0 } else { failures + 1 };
        if cluster.set_passable(failures < FAILURES_MAX) {
            match failures {
                0 => tracing::info!("messages get through again"),
                _ => tracing::warn!(
                    slot = last.0,
                    "messages do not get through; this node asks for no more clients"
                ),
            }
        }
        sleep(EVERY).await;
    }
}

/// The slot after `last` that this node owns, or just the next.
fn next(registry: &Registry, last: SlotId) -> SlotId {
    let slots = registry.services().slots;
    let after = |by: u16| SlotId((last.0 + by) % slots);
    let mut others = (1..=slots).map(after);
    let own = others.find(|slot| registry.route(*slot) == Route::Here);
    own.unwrap_or_else(|| after(1))
}

/// A channel in a slot: the first of a row that falls into it.
fn name_in(slot: SlotId, slots: u16) -> ChannelName {
    let names = (0_u32..).map(|number| ChannelName::parse(&format!("{NAMESPACE}:{number}")).expect("a plain name"));
    let mut in_slot = names.filter(|name| slot_of(name, slots) == slot);
    in_slot.next().expect("a hash leaves no slot out")
}

/// Whether a message that is published comes back to a reader.
async fn passes(registry: &Registry, channel: &ChannelName) -> bool {
    let Some(feed) = attach(registry, channel).await else {
        return false;
    };
    let (to, answer) = Reply::to_http();
    let publish = Publish {
        to,
        origin: Origin::Anonymous,
        key: None,
        deleted: false,
        payload: Bytes::new(),
        since: registry.services().clock.now().wall,
    };
    registry.send(channel, Message::Publish(vec![publish])).await;
    let Ok(Ok(ack)) = answer.await else {
        return false;
    };
    let Some(position) = ack.position else {
        return false;
    };
    until(|| (feed.epoch() == position.epoch && feed.span().head >= position.seq).then_some(())).await;
    true
}

/// Joins the channel as a session does. The feed is kept as long as somebody holds it.
async fn attach(registry: &Registry, channel: &ChannelName) -> Option<Arc<Feed>> {
    let mailbox = Arc::new(Mailbox::default());
    let to = Reply::to_attach(Arc::clone(&mailbox), RequestId(1));
    registry.send(channel, Message::Attach { to, from: From::Head }).await;
    match until(|| mailbox.take_answers().pop()).await {
        Delivery::Attached { feed, .. } => Some(feed),
        _ => None,
    }
}

/// Waits until something is there. Whoever calls it sets the time.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep_until(Instant::now() + LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_channel_to_probe() {
        for slot in (0..1_024).map(SlotId) {
            assert_eq!(slot_of(&name_in(slot, 1_024), 1_024), slot);
        }
    }
}
