//! The gateways of a document: who is told what becomes of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::turn::Effect;
use crate::document::message::{EditorId, Join, ToGateway, ToOwner};
use crate::id::NodeId;

/// When a gateway that had no room is told again that it is behind.
const REPEAT_AFTER: Duration = Duration::from_millis(100);

/// Bytes of updates after which a gateway is told how much they make together. When it joins again it is sent no more than
/// this a second time.
const MARK_EVERY: usize = 16 * 1024;

/// What an update counts for beside its bytes.
const UPDATE_BYTES: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<NodeId, Member>);

#[derive(Debug)]
struct Member {
    join: Join,
    standing: Standing,
    /// Bytes of updates since it was told how much they make.
    unmarked: usize,
}

#[derive(Debug)]
enum Standing {
    /// It wants to join; what it has by its own word.
    Joining(Option<Bytes>),
    Joined,
    /// Something was not told. It is told so then, and again, until it joins anew.
    Behind(Instant),
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_current(&self, gateway: &NodeId, join: Join) -> bool {
        self.0.get(gateway).is_some_and(|member| member.join == join)
    }

    /// Whether it has joined for the first time under this number.
    pub(super) fn join(&mut self, gateway: NodeId, join: Join, since: Option<Bytes>) -> bool {
        if self.0.get(&gateway).is_some_and(|member| member.join >= join) {
            return false;
        }
        let member = Member {
            join,
            standing: Standing::Joining(since),
            unmarked: 0,
        };
        self.0.insert(gateway, member);
        true
    }

    /// Something came from one that is no member, as after a failure of this actor: it joins again. What it said under an
    /// earlier join is void.
    pub(super) fn stray(&self, gateway: &NodeId, join: Join, message: &ToOwner, out: &mut Vec<Effect>) {
        let is_over = matches!(message, ToOwner::Leave | ToOwner::Left { .. });
        if !is_over && !self.0.contains_key(gateway) {
            out.push(send(gateway, join, ToGateway::Behind));
        }
    }

    pub(super) fn leave(&mut self, gateway: &NodeId) {
        self.0.remove(gateway);
    }

    /// Those who wait to be welcomed.
    pub(super) fn unwelcomed(&self) -> Vec<NodeId> {
        let waits = |(node, member): (&NodeId, &Member)| {
            let is_joining = matches!(member.standing, Standing::Joining(_));
            is_joining.then(|| node.clone())
        };
        self.0.iter().filter_map(waits).collect()
    }

    /// What a gateway that waits to be welcomed has; `None` when it does not wait.
    #[expect(
        clippy::option_option,
        reason = "whether it waits, and whether it has anything, are two questions"
    )]
    pub(super) fn since(&self, gateway: &NodeId) -> Option<Option<Bytes>> {
        match &self.0.get(gateway)?.standing {
            Standing::Joining(since) => Some(since.clone()),
            Standing::Joined | Standing::Behind(_) => None,
        }
    }

    pub(super) fn forget_since(&mut self, gateway: &NodeId) {
        if let Some(member) = self.0.get_mut(gateway) {
            member.standing = Standing::Joining(None);
        }
    }

    pub(super) fn welcome(&mut self, gateway: &NodeId, joined: ToGateway, out: &mut Vec<Effect>) {
        if let Some(member) = self.0.get_mut(gateway) {
            member.standing = Standing::Joined;
            out.push(send(gateway, member.join, joined));
        }
    }

    /// Tells one that is a member, joined or not.
    pub(super) fn send(&self, gateway: &NodeId, message: ToGateway, out: &mut Vec<Effect>) {
        if let Some(member) = self.0.get(gateway).filter(|member| !member.is_behind()) {
            out.push(send(gateway, member.join, message));
        }
    }

    /// Tells one, if it has not joined anew since.
    pub(super) fn answer(&self, gateway: &NodeId, join: Join, message: ToGateway, out: &mut Vec<Effect>) {
        if self.is_current(gateway, join) {
            self.send(gateway, message, out);
        }
    }

    /// Tells all that have joined.
    pub(super) fn tell(&self, message: &ToGateway, out: &mut Vec<Effect>) {
        let joined = self.0.iter().filter(|(_, member)| member.is_joined());
        out.extend(joined.map(|(gateway, member)| send(gateway, member.join, message.clone())));
    }

    /// Tells all that have joined of an update, and now and then how much they have by now.
    pub(super) fn relay(
        &mut self,
        update: &Bytes,
        from: Option<(&NodeId, EditorId)>,
        mut mark: impl FnMut() -> Option<Bytes>,
        out: &mut Vec<Effect>,
    ) {
        for (gateway, member) in self.0.iter_mut().filter(|(_, member)| member.is_joined()) {
            let told = ToGateway::Update {
                update: update.clone(),
                but: from.filter(|(of, _)| *of == gateway).map(|(_, editor)| editor),
            };
            out.push(send(gateway, member.join, told));
            member.unmarked += update.len() + UPDATE_BYTES;
            if member.unmarked >= MARK_EVERY
                && let Some(state_vector) = mark()
            {
                member.unmarked = 0;
                out.push(send(gateway, member.join, ToGateway::Mark { state_vector }));
            }
        }
    }

    /// Passes a message of the application on to the other editors.
    pub(super) fn pass(&self, from: &NodeId, editor: EditorId, payload: &Bytes, out: &mut Vec<Effect>) {
        for (gateway, member) in self.0.iter().filter(|(_, member)| member.is_joined()) {
            let told = ToGateway::Stateless {
                payload: payload.clone(),
                but: (from == gateway).then_some(editor),
            };
            out.push(send(gateway, member.join, told));
        }
    }

    /// Sends everybody away.
    pub(super) fn expel(&mut self, message: &ToGateway, out: &mut Vec<Effect>) {
        for (gateway, member) in std::mem::take(&mut self.0) {
            out.push(send(&gateway, member.join, message.clone()));
        }
    }

    /// Something was not told to a gateway.
    pub(super) fn fall_behind(&mut self, gateway: &NodeId, now: Instant) {
        if let Some(member) = self.0.get_mut(gateway) {
            member.standing = Standing::Behind(now + REPEAT_AFTER);
        }
    }

    /// Tells those who are behind that they are.
    pub(super) fn repeat(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for (gateway, member) in &mut self.0 {
            if let Standing::Behind(at) = &mut member.standing
                && *at <= now
            {
                *at = now + REPEAT_AFTER;
                out.push(send(gateway, member.join, ToGateway::Behind));
            }
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        let behind = self.0.values().filter_map(|member| match member.standing {
            Standing::Behind(at) => Some(at),
            Standing::Joining(_) | Standing::Joined => None,
        });
        behind.min()
    }
}

impl Member {
    const fn is_joined(&self) -> bool {
        matches!(self.standing, Standing::Joined)
    }

    const fn is_behind(&self) -> bool {
        matches!(self.standing, Standing::Behind(_))
    }
}

fn send(to: &NodeId, join: Join, message: ToGateway) -> Effect {
    let to = to.clone();
    Effect::Send { to, join, message }
}
