//! The actor. See the module above.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_cluster::link::{Outgoing, SendError};
use starling_cluster::wire::encode_presence;
use starling_core::channel::Refusal;
use starling_core::fault::Faults;
use starling_core::id::{ChannelName, NodeId};
use starling_core::presence::message::{Message as Said, ToReplica, ToWatch};
use starling_core::presence::shard::{Effect, Input, Shard};
use starling_core::presence::{gateway, watch};
use starling_runtime::mailbox::{Address, Envelope, Room};
use tokio::time::Instant;

use super::boards::Boards;
use super::{Message, ShardId, Watcher};
use crate::actor::alarm::Rings;
use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::metrics::PresenceHeld;
use crate::node::Services;

/// What a shard is started with.
pub struct Arguments {
    /// Which it is.
    pub shard: ShardId,
    /// The node, as it is called in presence.
    pub node: NodeId,
    /// The way to everybody.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
}

/// The rules of a shard, and what those who watch are told.
#[derive(Debug)]
struct Machine {
    rules: Shard<Watcher>,
    boards: Boards,
}

impl Machine {
    /// A shard of a node that has just started.
    fn new(node: NodeId, services: &Services) -> Self {
        let namespaces = Arc::new(services.settings.namespaces.presence());
        let (limits, faults) = (gateway::Limits::default(), Faults::default());
        let now = services.clock.now().instant;
        Self {
            rules: Shard::new(node, namespaces, limits, faults, now),
            boards: Boards::default(),
        }
    }

    fn held(&self) -> PresenceHeld {
        PresenceHeld {
            entries: self.rules.gateway().entries(),
            watched: self.rules.watch().channels(),
        }
    }
}

/// See the module above.
pub struct PresenceActor;

/// What its turns need.
pub struct State {
    shard: ShardId,
    machine: Machine,
    registry: Registry,
    me: Address<Message>,
    effects: Vec<Effect<Watcher>>,
}

impl Actor for PresenceActor {
    type Msg = Envelope<Message>;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        me: ActorRef<Envelope<Message>>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            shard,
            node,
            registry,
            room,
        } = arguments;
        let mut state = State {
            shard,
            machine: Machine::new(node, registry.services()),
            registry,
            me: Address::new(me, room),
            effects: Vec::new(),
        };
        state.turn(Input::Wake, None); // it compares by itself from the beginning
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Envelope<Message>>,
        Envelope {
            message,
            permit: _permit,
        }: Envelope<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if survive(|| state.take(message)).is_none() {
            tracing::error!(
                shard = state.shard.0,
                "a turn of presence failed and was given up; report this"
            );
            state.registry.services().metrics.restarted("presence");
        }
        Ok(())
    }
}

impl State {
    fn take(&mut self, message: Message) {
        match message {
            Message::Asked { to, input } => self.turn(Input::Client(input), Some(to)),
            Message::Watch {
                to,
                watcher,
                channel,
                slot,
                mode,
            } if !watcher.is_over() => {
                let input = watch::Input::Watch {
                    watcher,
                    channel,
                    slot,
                    mode,
                };
                self.turn(Input::Watcher(input), Some(to));
            }
            Message::Watch { .. } => {} // nobody waits for it
            Message::Told {
                from,
                message,
                room: _room,
            } => self.turn(
                Input::Received {
                    from,
                    message: *message,
                },
                None,
            ),
            Message::Happened(input) => self.turn(input, None),
        }
    }

    /// One turn, and those that follow from what could not be sent.
    fn turn(&mut self, input: Input<Watcher>, to: Option<Reply>) {
        let before = self.machine.held();
        let mut unsent = self.step(input, to);
        // A lane that is full is full for what this turn would say, too: once is enough.
        unsent.dedup();
        for node in unsent {
            self.step(Input::Unsent(node), None);
        }
        self.machine.boards.tell();
        self.registry
            .services()
            .metrics
            .presence_held(before, self.machine.held());
    }

    /// To whom something could not be sent.
    fn step(&mut self, input: Input<Watcher>, mut to: Option<Reply>) -> Vec<NodeId> {
        let touched = touched(&input);
        let services = Arc::clone(self.registry.services());
        let now = services.clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        self.machine.rules.handle(input, now, &mut effects);
        if let Some(channel) = &touched {
            settle(
                &mut self.machine,
                channel,
                &effects,
                to.take_if(|to| to.watches()),
                &services,
            );
        }
        let mut sending = Sending::default();
        for effect in effects.drain(..) {
            match effect {
                Effect::Answer(answer) => {
                    if let Some(to) = to.take() {
                        to.entered(answer);
                    }
                }
                Effect::Send { to, message } => self.send(to, message, &mut sending),
                Effect::Tell(told) => self.machine.boards.put(told),
                Effect::Wake { at } => {
                    let alarm = Arc::new(Rings(self.me.clone(), || Message::Happened(Input::Wake)));
                    services.windows.set(Instant::from_std(at), alarm);
                }
            }
        }
        self.effects = effects;
        sending.unsent
    }

    /// Puts a message into the lane of its shard. What a gateway says and is not sent is told to the rules; the rest is
    /// found missing by whoever follows.
    fn send(&self, to: NodeId, message: Said, sending: &mut Sending) {
        let Some(link) = self.registry.peers().and_then(|peers| peers.link(&to)) else {
            return; // everything is compared when there is a link, the first or another
        };
        let sent = match sending.encoded(self.shard, message) {
            Some(frame) => link.try_send(frame),
            None => Err(SendError::TooLong),
        };
        self.registry.services().metrics.presence_sent(sent.is_ok());
        if sent.is_err() {
            sending.unsent.push(to);
        }
    }
}

/// The messages of one turn. One that goes to several nodes is encoded once.
#[derive(Default)]
struct Sending {
    last: Option<(Said, Option<Outgoing>)>,
    unsent: Vec<NodeId>,
}

impl Sending {
    fn encoded(&mut self, shard: ShardId, message: Said) -> Option<&Outgoing> {
        if !self.last.as_ref().is_some_and(|(last, _)| is_same(last, &message)) {
            let encoded = encode_presence(shard.0, &message);
            if let Err(error) = &encoded {
                tracing::warn!(%error, "what became of presence does not fit a message; those who follow ask for the whole");
            }
            self.last = Some((message, encoded.ok()));
        }
        self.last.as_ref().and_then(|(_, encoded)| encoded.as_ref())
    }
}

/// Whether two messages are one that goes to two nodes.
fn is_same(one: &Said, other: &Said) -> bool {
    match (one, other) {
        (Said::Watch(ToWatch::Delta(one)), Said::Watch(ToWatch::Delta(other))) => Arc::ptr_eq(one, other),
        (Said::Watch(one @ ToWatch::Ephemeral { .. }), Said::Watch(other)) => one == other,
        (Said::Replica(ToReplica::Log { steps: one, .. }), Said::Replica(ToReplica::Log { steps: other, .. })) => {
            Arc::ptr_eq(one, other)
        }
        _ => false,
    }
}

/// The channel that somebody begins to watch, or watches no more.
fn touched(input: &Input<Watcher>) -> Option<ChannelName> {
    match input {
        Input::Watcher(watch::Input::Watch { channel, .. } | watch::Input::Unwatch { channel, .. }) => {
            Some(channel.clone())
        }
        _ => None,
    }
}

/// Gives a channel that is watched its number, and answers whoever watches it; one that is not has none any more.
fn settle(
    machine: &mut Machine,
    channel: &ChannelName,
    effects: &[Effect<Watcher>],
    to: Option<Reply>,
    services: &Services,
) {
    if !machine.rules.watch().is_watched(channel) {
        machine.boards.forget(channel);
    }
    let Some(to) = to else {
        return;
    };
    let is_refused = |effect: &Effect<Watcher>| matches!(effect, Effect::Tell(watch::Effect::Refused { .. }));
    match effects.iter().any(is_refused) {
        true => to.refuse(Refusal::PresenceFull),
        false => to.watched(machine.boards.number(channel, &services.gateway)),
    }
}

/// A turn, if it comes to its end. A panic in it must not take the shard with it: what waits in its mailbox says who has gone,
/// and what the shard knows of this node's clients nobody else does. What the turn did by halves the next comparison finds.
fn survive<T>(turn: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(turn)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_panics_is_given_up() {
        assert_eq!(survive(|| 7), Some(7));
        assert_eq!(survive(|| panic!("as planned")), None::<u8>);
    }
}
