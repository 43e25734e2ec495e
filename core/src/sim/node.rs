//! The node: the machines of this crate, and a shell around them that does what the real one does.
//!
//! The shell follows the real one's order of operations: a session answers, joins, then steps; a
//! channel proposes in one batch and in the room of the message that caused it; a commit comes back
//! through the channel's mailbox, behind whatever is there. Mailboxes are bounded where the real
//! ones are, turns take a while, and actors fail in the middle.
//!
//! * `slot`, `channel`: the actors, and `turn`: what a channel does with a message;
//! * `feed`: a channel's ring and its readers;
//! * `mailbox`: what they all receive, and who is answered;
//! * `store`: what outlives the node;
//! * `session`: a client's session; `effects`: what its rules say; `forward`: from it to the channels; `deliver` and
//!   `snapshot`: from the rings to its link.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::channel::ChannelActor;
use self::feed::Feed;
use self::mailbox::{Asker, Permit, ReplyId};
use self::session::SessionTask;
use self::slot::SlotActor;
use self::store::Store;
use super::check::Rule;
use super::fact::Fact;
use super::link::{Down, LinkId, Up};
use super::scene::{ActorId, Event, Scene};
use crate::id::{ChannelName, Seq, SlotId, slot_of};
use crate::session::ChannelId;
use crate::session::answer::Farewell;

mod channel;
mod deliver;
mod effects;
mod feed;
mod forward;
mod mailbox;
mod session;
mod slot;
mod snapshot;
mod store;
mod turn;

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    is_up: bool,
    resets: u32,
    /// Which start of it this is: what an earlier one had begun comes to nothing.
    life: u32,
    store: Store,
    slots: BTreeMap<SlotId, SlotActor>,
    channels: BTreeMap<ChannelName, ChannelActor>,
    feeds: BTreeMap<ChannelId, Feed>,
    /// The feed that new readers of a channel join.
    named: BTreeMap<ChannelName, ChannelId>,
    sessions: BTreeMap<LinkId, SessionTask>,
    /// Who waits for an answer, and which actor has the question.
    asked: BTreeMap<ReplyId, (Option<ActorId>, Asker)>,
    /// Failures of a channel at the same head.
    failures: BTreeMap<ChannelName, (Option<Seq>, u32)>,
    actors: u32,
    replies: u64,
    channel_ids: u32,
}

impl Node {
    pub(super) fn new(scene: &mut Scene) -> Self {
        let mut node = Self {
            is_up: true,
            resets: 0,
            life: 0,
            store: Store::new(&mut scene.dice),
            slots: BTreeMap::new(),
            channels: BTreeMap::new(),
            feeds: BTreeMap::new(),
            named: BTreeMap::new(),
            sessions: BTreeMap::new(),
            asked: BTreeMap::new(),
            failures: BTreeMap::new(),
            actors: 0,
            replies: 0,
            channel_ids: 0,
        };
        node.begin(scene);
        node
    }

    /// Something has arrived over a link.
    pub(super) fn receive(&mut self, link: LinkId, what: Up, scene: &mut Scene) {
        if matches!(what, Up::Open) && self.is_up {
            self.accept(link, scene);
        } else if self.sessions.contains_key(&link) {
            self.arrived(link, what, scene);
        } else {
            scene.send_down(link, Down::Closed, 0);
        }
    }

    /// The client has read something: there may be room on its link.
    pub(super) fn writable(&mut self, link: LinkId, scene: &mut Scene) {
        if self.sessions.get(&link).is_some_and(SessionTask::wants_room) {
            self.wake_session(link, scene);
        }
    }

    /// An operator ends a session.
    pub(super) fn kick(&mut self, link: LinkId, scene: &mut Scene) {
        self.deliver_to(link, mailbox::Delivery::Dismiss(Farewell::Draining), scene);
    }

    /// All is lost. Its connections are closed, or just never answered again.
    pub(super) fn restart(&mut self, reset: bool, silent: bool, downtime: Duration, scene: &mut Scene) {
        if !self.is_up {
            return;
        }
        for link in std::mem::take(&mut self.sessions).into_keys() {
            if !silent {
                scene.send_down(link, Down::Closed, 0);
            }
        }
        self.lose_unsynced(scene);
        self.slots.clear();
        self.channels.clear();
        self.feeds.clear();
        self.named.clear();
        self.asked.clear();
        self.failures.clear();
        self.is_up = false;
        self.resets += u32::from(reset);
        scene.tell(Fact::Restarted { reset });
        scene.agenda.after(downtime, Event::NodeUp);
    }

    /// The node is up: its slots are empty, and the store is as it was left.
    pub(super) fn begin(&mut self, scene: &mut Scene) {
        self.is_up = true;
        self.life += 1;
        self.store.starts += 1;
        for slot in 0..scene.setup.slots {
            let id = self.next_actor();
            let lease = self.store.lease(SlotId(slot), scene.setup.slots);
            let actor = SlotActor::new(id, self.resets, lease, scene);
            self.slots.insert(SlotId(slot), actor);
        }
    }

    /// Everything that was set aside is released.
    pub(super) fn heal(&mut self, scene: &mut Scene) {
        let channels = scene.setup.channels.clone();
        for channel in channels {
            self.post_slot(
                &channel,
                slot::Message::Release {
                    channel: channel.clone(),
                },
                None,
                scene,
            );
        }
        self.failures.clear();
    }

    /// The end: says where everything stands, and that nothing is left undone.
    pub(super) fn rest(&mut self, scene: &mut Scene) {
        if let Some((holder, asker)) = self.asked.values().next() {
            scene.ensure(false, Rule::Liveness, || {
                format!("never answered, held by {holder:?}: {asker:?}")
            });
        }
        for (id, slot) in &self.slots {
            slot.rest(*id, scene);
        }
        for (channel, state) in self.store.channels() {
            slot::held(channel, state, scene);
        }
        for (channel, actor) in &self.channels {
            let taken = actor.taken;
            scene.ensure(taken == 0, Rule::Bounds, || {
                format!("{taken} messages keep room in the mailbox of {channel}")
            });
        }
        for (link, session) in &self.sessions {
            let queued = session.queued_bytes();
            scene.ensure(queued == 0, Rule::Liveness, || {
                format!("{link} has not written {queued} bytes")
            });
        }
    }

    fn slot_id(channel: &ChannelName, scene: &Scene) -> SlotId {
        slot_of(channel, scene.setup.slots)
    }

    fn next_actor(&mut self) -> ActorId {
        self.actors += 1;
        ActorId(self.actors)
    }

    /// Notes that `asker` waits for an answer.
    fn ask(&mut self, asker: Asker) -> ReplyId {
        self.replies += 1;
        let reply = ReplyId(self.replies);
        self.asked.insert(reply, (None, asker));
        reply
    }

    /// Whoever waits for an answer of a dead actor is told that there is none.
    fn orphan(&mut self, actor: ActorId, scene: &mut Scene) {
        let orphans: Vec<_> = self
            .asked
            .iter()
            .filter(|(_, (of, _))| *of == Some(actor))
            .map(|(reply, _)| *reply)
            .collect();
        for reply in orphans {
            self.refuse(reply, crate::channel::Refusal::Unavailable, scene);
        }
    }

    /// Gives room in a channel's mailbox back.
    fn release(&mut self, channel: &ChannelName, permit: Option<Permit>, scene: &mut Scene) {
        let Some(Permit(actor)) = permit else {
            return;
        };
        let Some(found) = self.channels.get_mut(channel).filter(|found| found.id == actor) else {
            return; // room of an actor that is gone
        };
        found.taken -= 1;
        self.room_again(channel, scene);
    }

    /// The settings of a channel.
    fn config(channel: &ChannelName, scene: &Scene) -> crate::channel::Config {
        Arc::clone(scene.setup.namespace(channel)).channel.clone()
    }
}
