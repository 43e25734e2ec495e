//! A link to each member: gossip says who there is and where, and links follow.

use tokio::sync::broadcast::error::RecvError;

use crate::gossip::{Change, Departure, Member, Membership};
use crate::link::{Links, PeerState, Target};

/// Keeps a link to each member, until it is dropped. A member that is only suspected keeps its link: whether it
/// lives, the link knows better.
pub async fn follow(membership: &Membership, links: &Links) {
    let mut changes = membership.changes();
    align(membership, links);
    loop {
        match changes.recv().await {
            Ok(Change::Joined(member) | Change::Changed(member)) => keep(&member, links),
            // It waits until the others hold their slots without it, and ends the link then.
            Ok(Change::Left(node, Departure::Said)) => links.release(&node),
            Ok(Change::Left(node, Departure::Missing)) => links.forget(&node),
            // The younger process, which joined, takes its place.
            Ok(Change::Left(_, Departure::Replaced)) => {}
            Ok(Change::Suspected(_) | Change::Recovered(_) | Change::Superseded(_)) => {}
            Err(RecvError::Lagged(_)) => align(membership, links),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Makes links what the view says. One that stands to a node which gossip does not know stays: it may be ahead of gossip.
fn align(membership: &Membership, links: &Links) {
    let view = membership.view();
    for link in links.all() {
        let node = link.node();
        if !view.members.contains_key(&node.name) && link.state() == PeerState::Down {
            links.forget(node);
        }
    }
    view.members.values().for_each(|member| keep(member, links));
}

fn keep(member: &Member, links: &Links) {
    let target = Target {
        address: member.facts.link,
        probe: member.facts.probe,
    };
    // None when a younger process is linked already, which gossip will hear of.
    if links.keep(&member.node, target).is_none() {
        tracing::debug!(node = %member.node, "gossip is behind the links");
    }
}
