//! A document at the node that owns it, as an actor: message → input, run the rules, carry out the effects.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_cluster::wire::Said;
use starling_core::document::message::{Closed, Join, ToGateway, ToOwner};
use starling_core::document::owner::{Effect, Input, Owner};
use starling_core::document::yjs::YjsDocument;
use starling_core::id::{ChannelName, NodeId};
use starling_runtime::mailbox::{Address, Envelope, Room};
use tokio::time::{Duration, Instant};

use super::storing::{Done, Storing};
use super::unsaved::Mark;
use super::{Held, gateway};
use crate::actor::alarm::Rings;
use crate::actor::registry::Registry;

/// Everything that reaches a document at its owner.
#[derive(Debug)]
pub enum Message {
    /// A gateway says something.
    Said {
        /// Which node that is.
        from: NodeId,
        /// Under which join.
        join: Join,
        /// What.
        message: Box<ToOwner>,
        /// Its room among what is not worked off.
        held: Held,
    },
    /// A node is gone.
    Gone(NodeId),
    /// Another node owns the document.
    Given,
    /// The store has done something.
    Done(Box<Done>),
    /// The rules asked to be woken.
    Wake,
    /// Whether it is still used.
    Look,
    /// It is not, and nobody finds it any more.
    Retire,
}

/// What it starts with.
pub struct Arguments {
    /// Of which document.
    pub document: ChannelName,
    /// The way to everybody.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
}

/// See the module.
pub struct OwnerActor;

/// What its turns need.
pub struct State {
    document: ChannelName,
    rules: Owner<YjsDocument>,
    /// `None` when the nodes share no store, and documents are refused.
    storing: Option<Storing>,
    /// Since when nobody has it open.
    unused: Instant,
    /// There while it has edits that are not in the store.
    unsaved: Option<Mark>,
    registry: Registry,
    me: Address<Message>,
    effects: Vec<Effect>,
}

impl Actor for OwnerActor {
    type Msg = Envelope<Message>;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        me: ActorRef<Envelope<Message>>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments {
            document,
            registry,
            room,
        } = arguments;
        let me = Address::new(me, room);
        let services = registry.services();
        let storing = services.storage.as_ref().map(|storage| {
            let documents = storage.documents.clone();
            Storing::new(document.clone(), documents, services, me.clone())
        });
        let state = State {
            rules: Owner::new(registry.peers().is_some()),
            document,
            storing,
            unused: Instant::now(),
            unsaved: None,
            registry,
            me,
            effects: Vec::new(),
        };
        state.look_later();
        Ok(state)
    }

    async fn handle(
        &self,
        me: ActorRef<Envelope<Message>>,
        Envelope { message, .. }: Envelope<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Said {
                from,
                join,
                message,
                held,
            } => state.said(from, join, *message, &held),
            Message::Gone(node) => state.turn(Input::Gone(node), &Held::Nothing),
            Message::Given => state.turn(Input::Given, &Held::Nothing),
            Message::Done(done) => {
                let input = state.storing.as_mut().map(|storing| storing.input(*done));
                if let Some(input) = input {
                    state.turn(input, &Held::Nothing);
                }
            }
            Message::Wake => state.turn(Input::Wake, &Held::Nothing),
            Message::Look => state.look(),
            Message::Retire => state.retire(&me),
        }
        Ok(())
    }
}

impl State {
    fn said(&mut self, from: NodeId, join: Join, message: ToOwner, held: &Held) {
        if self.storing.is_some() {
            return self.turn(Input::Said { from, join, message }, held);
        }
        if matches!(message, ToOwner::Join { .. }) {
            let refused = ToGateway::Closed(Closed::StoreNotShared);
            self.send(&from, join, refused, held);
        }
    }

    fn turn(&mut self, input: Input<YjsDocument>, held: &Held) {
        let services = Arc::clone(self.registry.services());
        let now = services.clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        self.rules.handle(input, now, &mut effects);
        let mut unsent = Vec::new();
        for effect in effects.drain(..) {
            let effect = match &self.storing {
                Some(storing) => storing.start(effect),
                None => Some(effect),
            };
            match effect {
                Some(Effect::Send { to, join, message }) => {
                    // What follows something that was not sent would be void.
                    if !unsent.contains(&to) && !self.send(&to, join, message, held) {
                        unsent.push(to);
                    }
                }
                Some(Effect::Failed { reason }) => {
                    services.metrics.restarted("document");
                    tracing::error!(document = %self.document, reason, "the library of the CRDT failed; the document is loaded again, report this");
                }
                Some(Effect::SetAside { reason }) => {
                    services.metrics.store_failed("document");
                    tracing::error!(document = %self.document, reason, "a document is set aside: it cannot be read");
                }
                Some(Effect::Wake { at }) => {
                    let alarm = Arc::new(Rings(self.me.clone(), || Message::Wake));
                    services.ring(Instant::from_std(at), alarm);
                }
                Some(Effect::Load { .. } | Effect::Append { .. } | Effect::Read { .. } | Effect::Snapshot { .. })
                | None => {}
            }
        }
        self.effects = effects;
        match self.rules.is_saved() {
            true => self.unsaved = None,
            false if self.unsaved.is_none() => self.unsaved = Some(Mark::new(&services)),
            false => {}
        }
        if !self.rules.is_idle() {
            self.unused = Instant::now();
        }
        for gateway in unsent {
            self.turn(Input::Unsent(gateway), held);
        }
    }

    /// Whether it was sent.
    fn send(&self, to: &NodeId, join: Join, message: ToGateway, held: &Held) -> bool {
        if to == self.registry.me() {
            let told = gateway::Message::Told {
                from: to.clone(),
                join,
                message: Box::new(message),
                held: held.clone(),
            };
            self.registry.tell_document_gateway(&self.document, told);
            return true;
        }
        let said = Said::ToGateway(message);
        let peers = self.registry.peers();
        peers.is_some_and(|peers| peers.say(to, &self.document, join, &said).is_ok())
    }

    /// Ends in two steps, because what gateways say takes no room in the mailbox: first nobody finds it any more, then what
    /// came before that is worked off.
    fn look(&self) {
        if !self.rules.is_idle() || self.unused.elapsed() < self.idle() {
            return self.look_later();
        }
        self.registry.forget_document_owner(&self.document, self.me.id());
        let _ = self.me.post_single(Message::Retire); // to itself
    }

    fn retire(&mut self, me: &ActorRef<Envelope<Message>>) {
        // Whoever came meanwhile goes to the next.
        self.turn(Input::Given, &Held::Nothing);
        match self.rules.is_idle() {
            true => me.stop(Some("retired".to_owned())),
            false => self.look_later(),
        }
    }

    fn idle(&self) -> Duration {
        self.registry.services().config.documents.idle
    }

    fn look_later(&self) {
        let at = Instant::now() + self.idle();
        let alarm = Arc::new(Rings(self.me.clone(), || Message::Look));
        self.registry.services().timers.set(at, alarm);
    }
}
