//! What happens to a session, to its rules and back.

use std::sync::Arc;

use super::Node;
use super::channel::Message;
use super::mailbox::{Asker, Delivery, PageAnswer};
use super::session::Reader;
use crate::access::Grant;
use crate::session::answer::Farewell;
use crate::session::request::Refresh;
use crate::session::{ChannelId, Effect, Fetched, Input, Place};
use crate::sim::link::{Frame, LinkId};
use crate::sim::plan::ClientId;
use crate::sim::scene::Scene;
use crate::sim::sight::Sight;
use crate::time::WallTime;

impl Node {
    /// Takes an answer.
    pub(super) fn answered(&mut self, link: LinkId, delivery: Delivery, scene: &mut Scene) {
        let input = match delivery {
            Delivery::Attached {
                request,
                feed,
                attachment,
            } => {
                let Some(found) = self.feeds.get_mut(&feed) else {
                    return;
                };
                found.arriving -= 1;
                let channel = found.channel.clone();
                if let Some(session) = self.sessions.get_mut(&link) {
                    session.arriving = Some(feed);
                }
                Input::Attached {
                    request,
                    channel,
                    channel_id: feed,
                    attachment,
                }
            }
            Delivery::Acknowledged { request, serial, ack } => Input::Acknowledged { request, serial, ack },
            Delivery::AttachRefused { request, refusal } => Input::AttachRefused { request, refusal },
            Delivery::PublishRefused { request, refusal } => Input::PublishRefused { request, refusal },
            Delivery::Fetched { place, ticket, page } => {
                let page = match page {
                    PageAnswer::Page { after, messages } => self.queue_page(link, place, ticket, after, messages),
                    PageAnswer::Lost { reason, position } => Fetched::Lost { reason, position },
                    PageAnswer::Busy => {
                        self.retry_later(link, place, scene);
                        Fetched::Busy
                    }
                };
                Input::Fetched { place, ticket, page }
            }
            Delivery::Dismiss(farewell) => Input::Dismiss(farewell),
        };
        self.handle(link, input, scene);
    }

    /// Lets the rules decide, and carries out what they say.
    pub(super) fn handle(&mut self, link: LinkId, input: Input, scene: &mut Scene) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        if session.leaves_in_fetch(&input) {
            scene.saw(Sight::LeftInFetch);
        }
        let mut effects = Vec::new();
        session.rules.handle(input, scene.now(), &mut effects);
        for effect in effects {
            self.perform_for(link, effect, scene);
        }
    }

    fn perform_for(&mut self, link: LinkId, effect: Effect, scene: &mut Scene) {
        match effect {
            Effect::Authenticate(hello) => {
                let verdict = admit(&hello.token, scene).map_err(Farewell::Unauthorized);
                self.handle(link, Input::Authenticated(verdict), scene);
            }
            Effect::Reauthenticate(Refresh { request, token }) => {
                let verdict = admit(&token, scene);
                self.handle(link, Input::Reauthenticated { request, verdict }, scene);
            }
            Effect::Send(answer) => self.queue(link, Frame::Answer(answer)),
            Effect::Attach { request, channel, from } => {
                let asker = Asker::Attach {
                    link,
                    request,
                    from: from.clone(),
                };
                let to = self.ask(asker);
                self.forward(link, channel, Message::Attach { to, from }, scene);
            }
            Effect::Publish { publish, author } => self.forward_publish(link, publish, author, scene),
            Effect::Skip { skip, author } => self.forward_skip(link, skip, author, scene),
            Effect::Join { place, channel_id } => self.join(link, place, channel_id, scene),
            Effect::Snapshot { place, values, at } => self.begin_snapshot(link, place, values, at),
            Effect::Leave { place } => self.leave(link, place),
            Effect::Step { place } => {
                if let Some(session) = self.sessions.get_mut(&link) {
                    session.due |= 1 << place.0;
                }
            }
            // The presence of these clients is simulated by itself.
            Effect::Enter { .. }
            | Effect::LeavePresence { .. }
            | Effect::Watch { .. }
            | Effect::Unwatch { .. }
            | Effect::Ephemeral { .. } => {}
            // And so are documents.
            Effect::OpenDocument { .. }
            | Effect::PermitDocument { .. }
            | Effect::Say { .. }
            | Effect::CloseDocument { .. } => {}
            Effect::Close(farewell) => {
                if let Some(session) = self.sessions.get_mut(&link) {
                    session.ending = Some(farewell);
                }
            }
        }
    }

    fn join(&mut self, link: LinkId, place: Place, channel_id: ChannelId, scene: &mut Scene) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        let feed = session.arriving.take().filter(|feed| *feed == channel_id);
        let at = usize::from(place.0);
        if session.readers.len() <= at {
            session.readers.resize_with(at + 1, || None);
        }
        session.readers[at] = feed.map(|feed| Reader { feed, snapshot: None });
        self.join_feed(channel_id, link, place, scene);
    }

    pub(super) fn leave(&mut self, link: LinkId, place: Place) {
        let session = self.sessions.get_mut(&link);
        let reader = session.and_then(|session| session.readers.get_mut(usize::from(place.0)).and_then(Option::take));
        if let Some(reader) = reader {
            self.leave_feed(reader.feed, link, place);
        }
    }
}

/// Checks a token: it is the number of the client.
fn admit(token: &str, scene: &Scene) -> Result<Arc<Grant>, String> {
    let known = token.parse::<ClientId>().ok();
    let known = known.and_then(|client| scene.setup.clients.get(client));
    let client = known.ok_or_else(|| "nobody is called that".to_owned())?;
    // Once all is calm nobody is cut any more: a run ends with everybody attached.
    Ok(match client.token_age.filter(|_| !scene.is_calm) {
        None => Arc::clone(&client.grant),
        Some(age) => {
            let age = u64::try_from(age.as_millis()).expect("a short run");
            let expires = Some(WallTime(scene.now().wall.0 + age));
            Arc::new(Grant {
                expires,
                ..(*client.grant).clone()
            })
        }
    })
}
