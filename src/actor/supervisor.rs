//! What a crash means. Every actor of the node runs under this one.

use std::collections::BTreeMap;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use starling_core::id::{ChannelName, Seq};

use super::registry::{Registry, Who};
use super::slot;

/// Failures of one channel at the same head after which it is set aside: the second shows that
/// starting again does not help, and a third would only be a loop.
const FAILURES_MAX: u32 = 2;

/// Channels whose failures are remembered. Beyond it the memory starts over: a node with so many
/// failing channels has another problem, which the metrics show.
const REMEMBERED_MAX: usize = 1_024;

/// See the module.
pub(super) struct Supervisor;

/// What the supervisor remembers.
pub(super) struct State {
    registry: Registry,
    failures: BTreeMap<ChannelName, Failures>,
}

struct Failures {
    /// Where the channel stood.
    head: Option<Seq>,
    count: u32,
}

impl Actor for Supervisor {
    type Msg = ();
    type State = State;
    type Arguments = Registry;

    async fn pre_start(&self, _: ActorRef<()>, registry: Registry) -> Result<State, ActorProcessingErr> {
        Ok(State {
            registry,
            failures: BTreeMap::new(),
        })
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => match state.registry.ended(actor.get_id()) {
                Some(Who::Channel(channel)) => state.channel_failed(channel, actor.get_id(), &*error),
                Some(Who::Relay(channel)) => {
                    tracing::error!(%channel, %error, "relay failed; its readers return to another");
                    state.registry.services().metrics.restarted("relay");
                    state.registry.relay_failed(&channel, actor.get_id());
                }
                Some(Who::Slot(slot)) => {
                    tracing::error!(slot = slot.0, %error, "slot failed; it starts again on the state it had");
                    state.registry.services().metrics.restarted("slot");
                    state.registry.slot_failed(slot);
                }
                Some(Who::Presence(shard)) => {
                    tracing::error!(shard = shard.0, %error, "a shard of presence ended; restart the node, and report this");
                    state.registry.services().metrics.restarted("presence");
                }
                Some(Who::DocumentOwner(document)) => {
                    tracing::error!(%document, %error, "the owner of a document failed; it is loaded again");
                    state.registry.services().metrics.restarted("document");
                    state.registry.forget_document_owner(&document, actor.get_id());
                }
                Some(Who::DocumentGateway(document)) => {
                    tracing::error!(%document, %error, "a document failed at this node; its editors return");
                    state.registry.services().metrics.restarted("document");
                    state.registry.forget_document_gateway(&document, actor.get_id());
                }
                None => {}
            },
            SupervisionEvent::ActorTerminated(actor, ..) => {
                state.registry.ended(actor.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    fn channel_failed(&mut self, channel: ChannelName, actor: ActorId, error: &(dyn std::error::Error + Send + Sync)) {
        let head = self.registry.head(&channel);
        if self.failures.len() >= REMEMBERED_MAX {
            self.failures.clear();
        }
        let failures = self
            .failures
            .entry(channel.clone())
            .or_insert(Failures { head, count: 0 });
        if failures.head != head {
            *failures = Failures { head, count: 0 };
        }
        failures.count += 1;
        self.registry.services().metrics.restarted("channel");
        if failures.count >= FAILURES_MAX {
            // The name of a channel may be a secret of its users, but an operator has to find it.
            tracing::error!(%channel, %error, "channel failed again at the same place; set aside until the node restarts");
            let quarantine = slot::Message::Quarantine {
                channel: channel.clone(),
            };
            let _ = self.registry.slot_of(&channel).post_single(quarantine);
        } else {
            tracing::error!(%channel, %error, "channel failed; it starts again from its slot");
        }
        self.registry.channel_failed(&channel, actor);
    }
}
