//! What an owner does in each turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Replica;
use super::asking::Ask;
use super::doubt::Doubts;
use super::member::{LAG_MAX, Member, Standing};
use super::turn::Effect;
use crate::channel::Refusal;
use crate::id::{Index, NodeId, Term};
use crate::slot::{Reached, Slot};
use crate::table::{Change, Record};

/// What an owner knows.
#[derive(Debug)]
pub(super) struct Ownership {
    pub(super) term: Term,
    pub(super) members: BTreeMap<NodeId, Member>,
    /// What it had when it became the owner: nobody is served before that is safe (R8).
    pub(super) inherited: Index,
    pub(super) doubts: Doubts,
    /// To whom the slot is being handed, and until when that may hold up publishes.
    pub(super) sealed: Option<(NodeId, Instant)>,
    /// When a hand-over may be tried again.
    pub(super) hand_over_after: Option<Instant>,
}

impl Ownership {
    pub(super) fn new(record: &Record, me: &NodeId, slot: &Slot) -> Self {
        let appended = slot.appended();
        let others = record.isr.iter().filter(|node| *node != me);
        let confirmed = |node: &NodeId| (node.clone(), Member::new(Standing::Confirmed, appended));
        Self {
            term: record.term,
            members: others.map(confirmed).collect(),
            inherited: appended,
            doubts: Doubts::default(),
            sealed: None,
            hand_over_after: None,
        }
    }

    /// Nodes that are known to be members, this one among them.
    pub(super) fn confirmed(&self) -> usize {
        1 + self.members.values().filter(|member| member.is_confirmed()).count()
    }

    /// Copies whose acks are required.
    pub(super) fn required(&self) -> impl Iterator<Item = &NodeId> {
        let required = self.members.iter().filter(|(_, member)| member.is_required());
        required.map(|(node, _)| node)
    }
}

impl Replica {
    /// Everything that may follow from what has just happened.
    pub(super) fn own(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.bring_in(now);
        self.commit(now, out);
        self.open_when_safe(out);
        self.change_members(now, out);
        self.hand_over(now, out);
        self.settle_doubts(now, out);
        self.stand(now, out);
        self.send(now, out);
        self.ask_again(now, out);
    }

    /// The table has changed who is a member.
    pub(super) fn members_recorded(&mut self) {
        let appended = self.slot.appended();
        let Some(owner) = &mut self.owner else {
            return;
        };
        for node in self.record.isr.iter().filter(|node| **node != self.me) {
            let member = owner.members.entry(node.clone());
            let member = member.or_insert_with(|| Member::new(Standing::Confirmed, appended));
            member.standing = Standing::Confirmed;
        }
        for (node, member) in &mut owner.members {
            if self.record.isr.contains(node) {
                continue;
            }
            member.standing = match member.standing {
                // Removed, and only now required no more (R6b).
                Standing::Confirmed => Standing::Learner,
                // Its adding came to nothing: what was asked expected a version that has passed.
                Standing::Pending { asked: Some(_), .. } => Standing::Learner,
                standing => standing,
            };
        }
    }

    /// Copies that should be there begin to catch up, and to be waited for when they nearly have.
    /// Those that should not, and count for nothing, are left alone.
    fn bring_in(&mut self, now: Instant) {
        let (appended, silence) = (self.slot.appended(), self.config.silence);
        let Some(owner) = &mut self.owner else {
            return;
        };
        let (wanted, peers) = (&self.wanted.copies, &self.peers);
        let is_of_use = |node: &NodeId| wanted.contains(node) && !peers.is_down(node);
        owner
            .members
            .retain(|node, member| member.is_required() || is_of_use(node));
        for node in wanted.iter().filter(|node| **node != self.me && is_of_use(node)) {
            if !owner.members.contains_key(node) {
                let learner = Member::new(Standing::Learner, appended);
                owner.members.insert(node.clone(), learner);
            }
        }
        let grow_before_ack = self.config.slot.faults.grow_before_ack();
        for member in owner.members.values_mut() {
            let is_near = member.is_known && appended.0.saturating_sub(member.matched.0) <= LAG_MAX;
            // One that does not answer would hold up everybody, and gain nothing.
            let is_near = is_near && !member.is_silent(silence, now);
            if member.standing == Standing::Learner && member.catch_up.is_none() && (is_near || grow_before_ack) {
                // All that is committed from now on waits for it, and it is added once it holds the
                // rest (R5).
                let mark = if grow_before_ack { Index(0) } else { appended };
                member.standing = Standing::Pending { mark, asked: None };
            }
        }
    }

    /// Commits what every required copy holds, if enough of them are known to be members (R1, R5,
    /// R6).
    fn commit(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(owner) = &self.owner else {
            return;
        };
        let faults = self.config.slot.faults;
        let mut copies = owner.confirmed();
        if faults.pending_counts() {
            copies = 1 + owner.required().count();
        }
        let required = owner.members.values().filter(|member| match faults.grow_before_ack() {
            true => member.is_confirmed(),
            false => member.is_required(),
        });
        let held = required.map(|member| member.matched).min();
        let through = match held {
            _ if faults.commit_alone() => self.slot.appended(),
            _ if copies < self.config.copies_min => return,
            Some(held) => held,
            None => self.slot.appended(),
        };
        let copies = u8::try_from(copies).unwrap_or(u8::MAX);
        let reached = Reached { through, copies };
        self.slot_turn(out, |slot, effects| slot.commit_to(reached, now, effects));
    }

    /// Serves readers once what it inherited is on every member; alone, up to what it knew to be
    /// committed when it was a copy (R8).
    fn open_when_safe(&mut self, out: &mut Vec<Effect>) {
        let Some(owner) = &self.owner else {
            return;
        };
        let is_alone = owner.confirmed() < self.config.copies_min;
        let is_safe = self.slot.committed() >= owner.inherited;
        if is_alone || is_safe || self.config.slot.faults.attach_before_safe() {
            self.slot_turn(out, Slot::serve);
        }
    }

    /// Whether acknowledgements may be given.
    fn stand(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(owner) = &self.owner else {
            return;
        };
        let waits = self.slot.appended() > self.slot.committed();
        let is_stuck = |ask: &Ask| waits && now >= ask.since + self.config.patience;
        let standing = if owner.confirmed() < self.config.copies_min && !self.config.slot.faults.commit_alone() {
            Err(Refusal::InsufficientReplicas)
        } else if self.ask.as_ref().is_some_and(is_stuck) {
            // A member does not answer and neither does the table: it may be this node that is cut
            // off. Whoever waits tries elsewhere.
            Err(Refusal::Unavailable)
        } else {
            Ok(())
        };
        self.slot_turn(out, |slot, effects| slot.stand(standing, effects));
    }

    /// Members that hold up the rest are removed; copies that caught up become members.
    fn change_members(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let (appended, silence) = (self.slot.appended(), self.config.silence);
        let may_ask = self.may_ask(now);
        let waits_for_ever = self.config.slot.faults.no_shrink();
        let Some(owner) = &mut self.owner else {
            return;
        };
        let mut without = BTreeSet::new();
        let mut with = BTreeSet::new();
        for (node, member) in &mut owner.members {
            member.look(appended, now);
            let fails = !waits_for_ever && (member.is_silent(silence, now) || self.peers.is_down(node));
            match member.standing {
                Standing::Pending { asked: None, .. } if fails => member.standing = Standing::Learner,
                // Only the table can say whether it is one by now.
                Standing::Pending { asked: Some(_), .. } | Standing::Confirmed if fails => {
                    without.insert(node.clone());
                }
                // Also if it was asked before, and refused for a reason that has passed.
                Standing::Pending { mark, .. } if member.matched >= mark && member.is_known => {
                    with.insert(node.clone());
                }
                Standing::Learner | Standing::Pending { .. } | Standing::Confirmed => {}
            }
        }
        if !may_ask {
            return;
        }
        if without.is_empty() && with.is_empty() {
            without = self.unwanted();
        }
        if !without.is_empty() {
            self.ask(Change::Shrink { without }, now, out);
        } else if !with.is_empty() {
            let version = self.record.version;
            for (node, member) in self.owner.iter_mut().flat_map(|owner| &mut owner.members) {
                if let (true, Standing::Pending { asked, .. }) = (with.contains(node), &mut member.standing) {
                    *asked = Some(version);
                }
            }
            self.ask(Change::Grow { with }, now, out);
        }
    }

    /// Members that should hold the slot no longer, once all that should hold it do.
    fn unwanted(&self) -> BTreeSet<NodeId> {
        let wanted = &self.wanted.copies;
        let is_there = |node: &NodeId| self.record.isr.contains(node) && !self.peers.is_down(node);
        if wanted.len() < self.config.copies_min || !wanted.iter().all(is_there) {
            return BTreeSet::new();
        }
        let members = self.record.isr.iter().filter(|node| **node != self.me);
        members.filter(|node| !wanted.contains(node)).cloned().collect()
    }
}
