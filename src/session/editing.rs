//! The documents that the client of a session has open: from the session to their gateways, and from these to the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use starling_core::channel::Refusal;
use starling_core::document::gateway;
use starling_core::document::gateway::Event;
use starling_core::document::message::EditorId;
use starling_core::id::ChannelName;
use starling_core::session::Input;
use starling_core::session::answer::NotTaken;
use starling_core::session::request::RequestId;
use starling_core::session::turn::Said;

use super::task::{Beside, Task};
use crate::actor::document::gateway::Message;
use crate::editor::{End, Mailbox, Seat, Told};
use crate::fanout::Frame;
use crate::metrics::FrameKind;
use crate::transport::Connection;
use crate::wire;

/// What a session has to do with documents. However it ends, its seats end with it.
#[derive(Default)]
pub(super) struct Desk {
    mailbox: Arc<Mailbox>,
    seats: BTreeMap<EditorId, Seat>,
}

impl<C: Connection> Task<C> {
    /// Takes a seat at a document, and has it told.
    pub(super) fn open_document(&mut self, request: RequestId, document: ChannelName, may_write: bool) {
        let editor = self.may_edit(&document).map(|()| {
            let desk = &mut self.beside.get_or_insert_default().desk;
            let seat = Seat::new(&self.registry, document.clone());
            let editor = seat.editor();
            let opening = seat.opening(&desk.mailbox, may_write, false);
            self.outbound.push_document(document.clone(), opening);
            desk.seats.insert(editor, seat);
            editor
        });
        self.handle(Input::DocumentOpening {
            request,
            document,
            editor,
        });
    }

    /// A document that nobody uses here costs an actor and a load: how often somebody may do that is the rate of channels.
    fn may_edit(&self, document: &ChannelName) -> Result<(), Refusal> {
        if self.registry.is_edited(document) {
            return Ok(());
        }
        let now = self.services.clock.now().instant;
        self.services.quotas.open(&self.party, now)
    }

    /// Gives a seat up, once all that was said from it has been sent.
    pub(super) fn close_document(&mut self, editor: EditorId) {
        if let Some(seat) = self.beside.as_mut().and_then(|it| it.desk.seats.remove(&editor)) {
            self.outbound.push_seat(seat);
        }
    }

    pub(super) fn permit_document(&mut self, editor: EditorId, may_write: bool) {
        self.say_to_document(editor, gateway::Input::Permit { editor, may_write });
    }

    pub(super) fn say(&mut self, editor: EditorId, said: Said) {
        let input = match said {
            Said::Edit {
                edit,
                update,
                is_missing,
            } => gateway::Input::Edit {
                editor,
                edit,
                update,
                is_step2: is_missing,
            },
            Said::StateVector(state_vector) => gateway::Input::Step1 { editor, state_vector },
            Said::Awareness(states) => gateway::Input::Awareness { editor, states },
        };
        self.say_to_document(editor, input);
    }

    fn say_to_document(&mut self, editor: EditorId, input: gateway::Input) {
        if let Some(seat) = self.beside.as_ref().and_then(|it| it.desk.seats.get(&editor)) {
            self.outbound
                .push_document(seat.document().clone(), Message::Said(input));
        }
    }

    /// Queues what documents have told, as long as there is room. Whether there was none, and something may wait.
    pub(super) fn deliver_documents(&mut self, cx: &Context<'_>) -> bool {
        while let Some(Beside { desk, .. }) = self.beside.as_deref_mut() {
            if self.connection.queued_bytes() >= self.services.send_queue {
                desk.mailbox.register(cx);
                return true;
            }
            match desk.mailbox.poll_take(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(letters)) => {
                    for (editor, told) in letters {
                        self.told(editor, &told);
                    }
                }
                Poll::Ready(Err(end)) => {
                    desk.mailbox = Arc::default(); // for what is opened from now on
                    self.handle(Input::DocumentsClosed(match end {
                        End::Slow => {
                            self.services.metrics.slow("document_closed");
                            NotTaken::Behind
                        }
                        End::Lost | End::Dismissed(_) => NotTaken::Failed,
                    }));
                }
            }
        }
        false
    }

    fn told(&mut self, editor: EditorId, told: &Told) {
        // What was told before its seat was given up.
        if !self
            .beside
            .as_ref()
            .is_some_and(|it| it.desk.seats.contains_key(&editor))
        {
            return;
        }
        let document_id = told.document_id();
        match told.event() {
            Event::Opened => self.handle(Input::DocumentOpened { editor, document_id }),
            Event::Closed(closed) => {
                let why = NotTaken::Document((*closed).into());
                self.handle(Input::DocumentClosed { editor, why });
            }
            Event::Saved { up_to, .. } => self.queue_document(&wire::document::saved(document_id, *up_to)),
            Event::Refused { edit, refusal } => {
                self.services.metrics.edit_refused(refusal.code());
                let refusal = refusal.clone().into();
                self.queue_document(&wire::document::edit_refused(document_id, *edit, &refusal));
            }
            Event::AwarenessRefused { reason } => {
                self.services.metrics.edit_refused("bad_awareness");
                let refusal = NotTaken::BadAwareness(reason.clone());
                self.queue_document(&wire::document::awareness_refused(document_id, &refusal));
            }
            Event::Step1(_) | Event::Step2(_) | Event::Update(_) | Event::Awareness(_) | Event::Stateless(_) => {
                for frame in told.frames() {
                    self.queue_document(frame);
                }
            }
        }
    }

    fn queue_document(&mut self, frame: &Frame) {
        let bytes = frame.body_bytes();
        self.services.metrics.sent(FrameKind::Document, C::TRANSPORT, 1, bytes);
        self.connection.queue(frame);
    }
}
