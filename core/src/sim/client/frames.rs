//! What a client is told, and whom in it that concerns.

use super::Client;
use super::desk::Asking;
use super::reader::Reader;
use crate::backpressure::Policy;
use crate::channel::Attachment;
use crate::session::ChannelId;
use crate::session::answer::Answer;
use crate::session::request::{Request, RequestId};
use crate::sim::link::{Down, Frame, LinkId};
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;

impl Client {
    /// Reads what has arrived.
    pub(super) fn read(&mut self, link: LinkId, what: Down, scene: &mut Scene) {
        if let Down::Frame(frame) = &what {
            scene.read(link, frame.bytes());
        }
        if self.link() != Some(link) {
            return; // of a connection that was given up
        }
        match what {
            Down::Closed | Down::Frame(Frame::Goodbye) => self.lost(scene),
            Down::Frame(frame) => {
                self.desk.heard(scene.now().instant);
                self.take(frame, scene);
                self.go_on(scene);
            }
        }
    }

    fn take(&mut self, frame: Frame, scene: &mut Scene) {
        let bytes = frame.bytes();
        match frame {
            Frame::Message { channel_id, message } => {
                if let Some(reader) = self.reader(channel_id) {
                    reader.message(&message, scene);
                }
            }
            Frame::Page {
                channel_id,
                after,
                messages,
            } => {
                let held = match self.reader(channel_id) {
                    Some(reader) => reader.page(after, &messages, bytes, scene),
                    None => 0,
                };
                self.desk.give_back(bytes - held, scene);
            }
            Frame::Snapshot {
                channel_id,
                replace,
                at,
                values,
                last,
            } => {
                if let Some(reader) = self.reader(channel_id) {
                    reader.values(replace, at, values, last, scene);
                }
                self.desk.give_back(bytes, scene);
            }
            Frame::Answer(answer) => self.answer(answer, scene),
            Frame::Goodbye => {}
        }
    }

    fn answer(&mut self, answer: Answer, scene: &mut Scene) {
        match answer {
            Answer::Welcome { time, .. } => {
                self.desk.welcome(time, scene.now().instant);
                self.losses = 0;
            }
            Answer::Ping => {
                self.desk.send(Request::Pong, scene);
                // A moment as good as any: a heartbeat is well below the age of a token.
                if scene.setup.clients[self.id].refreshes {
                    self.desk.refresh(self.id, scene);
                }
            }
            Answer::Refreshed { request, .. } => {
                scene.saw(Sight::TokenRefreshed);
                let _ = self.desk.answered(request);
            }
            Answer::Pong { time, .. } => self.desk.pong(time),
            Answer::Ack {
                request,
                serial,
                ack,
                time,
            } => {
                self.desk.clock = time;
                if let Some(Asking::Publish(channel)) = self.desk.answered(request)
                    && let Some(line) = self.lines.get_mut(&channel)
                {
                    line.acked(serial, &ack, scene);
                }
            }
            Answer::Attached {
                request,
                channel_id,
                policy,
                attachment,
                ..
            } => self.attached(request, channel_id, policy, attachment, scene),
            Answer::Detached { request, .. } => {
                let _ = self.desk.answered(request);
            }
            Answer::Refused { request, refusal } => match self.desk.answered(request) {
                Some(Asking::Publish(channel)) => {
                    if let Some(line) = self.lines.get_mut(&channel) {
                        line.refused(request, &refusal, scene);
                    }
                }
                Some(Asking::Attach(channel)) => {
                    let reader = self.readers.get_mut(&channel);
                    if reader.is_some_and(|reader| reader.refused(request, &refusal, scene)) {
                        self.unsubscribe(&channel, scene);
                    }
                }
                Some(Asking::Detach | Asking::Refresh) | None => {}
            },
            // The presence of these clients is simulated by itself.
            Answer::Entered { .. } | Answer::Left { .. } | Answer::Watched { .. } | Answer::TakenOut { .. } => {}
            // And so are documents.
            Answer::DocumentOpened { .. } | Answer::DocumentRefused { .. } | Answer::DocumentClosed { .. } => {}
            // It crossed the end of the attachment, or the reader was moved since: it is attached anew.
            Answer::PullRefused { .. } | Answer::Withdrawn { .. } => {}
            Answer::Lagged { channel_id, seq } => {
                let desk = &mut self.desk;
                if let Some(reader) = self.readers.values_mut().find(|one| one.is_at(channel_id)) {
                    reader.lagged(seq, desk, scene);
                }
            }
            Answer::Skipped {
                channel_id,
                to,
                count,
                reason,
            } => {
                if let Some(reader) = self.reader(channel_id) {
                    reader.skipped(to, count, reason, scene);
                }
            }
            Answer::Discontinuity {
                channel_id,
                reason,
                position,
            } => {
                if let Some(reader) = self.reader(channel_id) {
                    reader.interrupted(reason, position, scene);
                }
            }
        }
    }

    fn attached(
        &mut self,
        request: RequestId,
        channel_id: ChannelId,
        policy: Policy,
        attachment: Attachment,
        scene: &mut Scene,
    ) {
        let Some(Asking::Attach(channel)) = self.desk.answered(request) else {
            return;
        };
        match self.readers.get_mut(&channel) {
            Some(reader) if reader.awaits(request) => reader.attached(channel_id, policy, attachment, scene),
            // A reader that was moved meanwhile waits for its own answer, which takes this place over.
            Some(_) => {}
            None => self.desk.detach(channel_id, scene),
        }
    }

    fn reader(&mut self, channel_id: ChannelId) -> Option<&mut Reader> {
        self.readers.values_mut().find(|reader| reader.is_at(channel_id))
    }
}
