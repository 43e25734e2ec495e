//! A document at a node where it is edited, as an actor: message → input, run the rules, carry out the effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_cluster::wire::Said;
use starling_core::document::gateway::{Effect, Event, Gateway, Input};
use starling_core::document::message::{Answer, EditorId, Join, Question, Refusal, ToGateway, ToOwner};
use starling_core::document::scan::Limits;
use starling_core::id::{ChannelName, NodeId};
use starling_core::session::DocumentId;
use starling_runtime::mailbox::{Address, Envelope, Room};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::{Held, owner};
use crate::actor::alarm::Rings;
use crate::actor::registry::Registry;
use crate::editor::{End, Mailbox, Told};

/// How long a document keeps its actor at a node where nobody uses it, if its owner keeps it as long: a reload of the only page
/// finds it there.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Everything that reaches a document at a gateway.
#[derive(Debug)]
pub enum Message {
    /// An editor opens it.
    Open {
        /// Which.
        editor: EditorId,
        /// Where it is told of what happens.
        mailbox: Arc<Mailbox>,
        /// Whether it may write.
        may_write: bool,
        /// Whether it is given its edits back.
        wants_echo: bool,
    },
    /// An editor says something, or is gone.
    Said(Input),
    /// A program asks something.
    Ask {
        /// What.
        question: Question,
        /// Takes the answer.
        answer: oneshot::Sender<Result<Answer, Refusal>>,
    },
    /// The owner says something.
    Told {
        /// Which node that is.
        from: NodeId,
        /// Under which join.
        join: Join,
        /// What.
        message: Box<ToGateway>,
        /// Its room among what is not worked off.
        held: Held,
    },
    /// Who owns the document.
    Route(Option<NodeId>),
    /// What was on its way to or from a node is lost.
    Reset(NodeId),
    /// The rules asked to be woken.
    Wake,
    /// Whether it is still used.
    Look,
}

/// What it starts with.
pub struct Arguments {
    /// Of which document.
    pub document: ChannelName,
    /// Who owns it, as far as it is known.
    pub owner: Option<NodeId>,
    /// Its number among the actors of gateways of this process, from 1 on: no other has it.
    pub number: u32,
    /// The way to everybody.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
}

/// See the module.
pub struct GatewayActor;

/// What its turns need.
pub struct State {
    document: ChannelName,
    /// What it is called in sessions.
    document_id: DocumentId,
    rules: Gateway,
    editors: Editors,
    asking: BTreeMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    asked: u64,
    /// Since when nobody uses it.
    unused: Instant,
    registry: Registry,
    me: Address<Message>,
    effects: Vec<Effect>,
}

/// Those who have it open here. When the actor ends, in order or not, they are told to come back.
#[derive(Default)]
struct Editors(BTreeMap<EditorId, Arc<Mailbox>>);

impl Drop for Editors {
    fn drop(&mut self) {
        for mailbox in self.0.values() {
            mailbox.end(End::Lost);
        }
    }
}

impl Actor for GatewayActor {
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
            owner,
            number,
            registry,
            room,
        } = arguments;
        let state = State {
            document,
            document_id: DocumentId(number),
            // Joins of one actor count up from its number: it has fewer than four thousand million.
            rules: Gateway::new(Limits::CLIENT, owner, Join(u64::from(number) << 32)),
            editors: Editors::default(),
            asking: BTreeMap::new(),
            asked: 0,
            unused: Instant::now(),
            registry,
            me: Address::new(me, room),
            effects: Vec::new(),
        };
        state.look_later();
        Ok(state)
    }

    async fn handle(
        &self,
        me: ActorRef<Envelope<Message>>,
        Envelope { message, permit }: Envelope<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Open {
                editor,
                mailbox,
                may_write,
                wants_echo,
            } => {
                state.editors.0.insert(editor, mailbox);
                let open = Input::Open {
                    editor,
                    may_write,
                    wants_echo,
                };
                state.turn(open, &permit.into());
            }
            Message::Said(input) => {
                if let Input::Close(editor) = &input {
                    state.editors.0.remove(editor);
                }
                state.turn(input, &permit.into());
            }
            Message::Ask { question, answer } => {
                state.asked += 1;
                let number = state.asked;
                state.asking.insert(number, answer);
                state.turn(Input::Ask { number, question }, &permit.into());
            }
            Message::Told {
                from,
                join,
                message,
                held,
            } => {
                let message = *message;
                state.turn(Input::Told { from, join, message }, &held);
            }
            Message::Route(owner) => state.turn(Input::Route(owner), &Held::Nothing),
            Message::Reset(node) => state.turn(Input::Reset(node), &Held::Nothing),
            Message::Wake => state.turn(Input::Wake, &Held::Nothing),
            Message::Look => state.look(&me),
        }
        Ok(())
    }
}

impl State {
    fn turn(&mut self, input: Input, held: &Held) {
        let services = Arc::clone(self.registry.services());
        let now = services.clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        self.rules.handle(input, now, &mut effects);
        let mut is_unsent = false;
        for effect in effects.drain(..) {
            match effect {
                // What follows something that was not sent would be void.
                Effect::Send { to, join, message } => {
                    is_unsent = is_unsent || !self.send(&to, join, message, held);
                }
                Effect::Tell { to, event } => {
                    if let Some(mailbox) = self.editors.0.get(&to) {
                        mailbox.push(to, &Arc::new(Told::new(self.document_id, event)));
                    }
                }
                Effect::TellAll { but, event } => self.tell_all(but, event),
                Effect::Answer { number, answer } => {
                    if let Some(asking) = self.asking.remove(&number) {
                        let _ = asking.send(answer); // it waits no longer
                    }
                }
                Effect::Wake { at } => {
                    let alarm = Arc::new(Rings(self.me.clone(), || Message::Wake));
                    services.ring(Instant::from_std(at), alarm);
                }
            }
        }
        self.effects = effects;
        if !self.rules.is_idle() {
            self.unused = Instant::now();
        }
        if is_unsent {
            self.turn(Input::Unsent, held);
        }
    }

    fn tell_all(&mut self, but: Option<EditorId>, event: Event) {
        let is_end = matches!(event, Event::Closed(_));
        let told = Arc::new(Told::new(self.document_id, event));
        for (editor, mailbox) in &self.editors.0 {
            if Some(*editor) != but {
                mailbox.push(*editor, &told);
            }
        }
        if is_end {
            self.editors.0.clear();
        }
    }

    /// Whether it was sent.
    fn send(&self, to: &NodeId, join: Join, message: ToOwner, held: &Held) -> bool {
        if to == self.registry.me() {
            let said = owner::Message::Said {
                from: to.clone(),
                join,
                message: Box::new(message),
                held: held.clone(),
            };
            self.registry.tell_document_owner(&self.document, said);
            return true;
        }
        let said = Said::ToOwner(message);
        let peers = self.registry.peers();
        peers.is_some_and(|peers| peers.say(to, &self.document, join, &said).is_ok())
    }

    fn look(&self, me: &ActorRef<Envelope<Message>>) {
        let is_unused = self.rules.is_idle() && self.unused.elapsed() >= self.linger();
        if !is_unused || !self.me.close_if_idle() {
            return self.look_later();
        }
        self.registry.forget_document_gateway(&self.document, self.me.id());
        me.stop(Some("retired".to_owned()));
    }

    fn linger(&self) -> Duration {
        LINGER_MAX.min(self.registry.services().config.documents.idle)
    }

    fn look_later(&self) {
        let at = Instant::now() + self.linger();
        let alarm = Arc::new(Rings(self.me.clone(), || Message::Look));
        self.registry.services().timers.set(at, alarm);
    }
}
