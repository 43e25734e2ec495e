//! The owner's side of a gateway: what it asks, and that it is sent every message once.

use std::sync::Arc;

use super::lane::Carried;
use super::node::{Asker, Work};
use super::world::World;
use crate::channel::{Message, View};
use crate::id::{ChannelName, NodeId, Position, slot_of};
use crate::relay::{Answer, Asked, Told};

impl World {
    /// A gateway asks for something.
    pub(super) fn asked_by(&mut self, index: usize, from: &NodeId, channel: ChannelName, asked: Asked) {
        let slot = slot_of(&channel, self.plan.slots);
        let is_here = self.nodes[index].owns(slot);
        match asked {
            Asked::Leave if is_here => {
                if let Some(followers) = self.nodes[index].followers.get_mut(&channel) {
                    followers.remove(from);
                }
            }
            Asked::Leave => {}
            Asked::Request(request) if is_here => {
                let request = request.map(|number| Asker::Gateway(from.clone(), number));
                self.work(index, slot, Work::Asked(channel, request));
            }
            Asked::Request(request) => {
                self.answer(index, from, &channel, request.number(), Answer::Moved);
            }
        }
    }

    /// Answers a gateway, if its lane has room: it asks again what is not answered.
    pub(super) fn answer(&mut self, index: usize, to: &NodeId, channel: &ChannelName, number: u64, answer: Answer) {
        let told = Told::Answer { number, answer };
        let _ = self.carry(index, to, channel, Carried::Told(told), false);
    }

    /// A gateway follows from now on.
    pub(super) fn follow(&mut self, index: usize, gateway: NodeId, channel: &ChannelName) {
        let followers = self.nodes[index].followers.entry(channel.clone()).or_default();
        followers.retain(|one| one.name != gateway.name);
        followers.insert(gateway);
    }

    /// Sends what was fanned out, up to `head`, to every gateway that follows. One whose lane is full is told that it is
    /// behind.
    pub(super) fn tell_followers(&mut self, index: usize, channel: &ChannelName, messages: &mut Vec<Arc<Message>>) {
        let messages = std::mem::take(messages);
        let head = self.nodes[index]
            .channels
            .get(channel)
            .and_then(|channel| channel.view());
        let Some(head) = head.map(View::head_position).filter(|_| !messages.is_empty()) else {
            return;
        };
        let followers = self.nodes[index].followers.get(channel).cloned().unwrap_or_default();
        for gateway in followers {
            let live = Told::Live {
                epoch: head.epoch.clone(),
                messages: messages.clone(),
            };
            if !self.carry(index, &gateway, channel, Carried::Told(live), false) {
                self.notify(index, &gateway, channel, head.clone());
            }
        }
    }

    fn notify(&mut self, index: usize, gateway: &NodeId, channel: &ChannelName, head: Position) {
        let behind = Carried::Told(Told::Behind { head });
        let is_there = self.carry(index, gateway, channel, behind, true);
        if let Some(followers) = self.nodes[index].followers.get_mut(channel).filter(|_| !is_there) {
            followers.remove(gateway);
        }
    }

    /// They are sent nothing any more: they attach again.
    pub(super) fn end_followers(&mut self, index: usize, channel: &ChannelName) {
        for gateway in self.nodes[index].followers.remove(channel).unwrap_or_default() {
            let _ = self.carry(index, &gateway, channel, Carried::Told(Told::Ended), true);
        }
    }
}
