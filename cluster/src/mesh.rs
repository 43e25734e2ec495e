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
            // It waits until the others hold their slots without it, and ends the link then. Or gossip has not heard it for
            // long, which somebody with the key can bring about: the link knows better.
            Ok(Change::Left(node, Departure::Said | Departure::Missing)) => links.release(&node),
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

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::sync::Arc;
    use std::time::Duration;

    use starling_core::id::{Generation, NodeId};

    use super::*;
    use crate::gossip::facts::tests::facts;
    use crate::gossip::{NodeFacts, State};
    use crate::instruments::Uncounted;
    use crate::link::{Agreement, Event, Settings};
    use crate::proof::tests::{authority, credentials, name};

    fn node(text: &str) -> NodeId {
        NodeId {
            name: name(text),
            generation: Generation(1),
        }
    }

    fn member(node: NodeId, link: SocketAddr) -> Member {
        let facts = NodeFacts {
            link,
            probe: None,
            ..facts()
        };
        Member {
            node,
            gossip: link,
            facts,
            state: State::Live,
        }
    }

    #[tokio::test]
    async fn who_is_not_heard_in_gossip_for_long_stays_linked_as_long_as_it_answers() {
        let ours = authority();
        let start = |text: &str| {
            let agreement = Agreement {
                cluster: "test".to_owned(),
                slots: 1_024,
                hash_seed: 0,
                wire: (1, 1),
            };
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            let credentials = credentials(&ours, &[&ours], text);
            let settings = Settings::default();
            let started = Links::start(
                node(text),
                agreement,
                settings,
                socket,
                credentials,
                Arc::new(Uncounted),
            );
            started.expect("it starts")
        };
        let ((a, _a), (b, _b)) = (start("a"), start("b"));
        let (a, membership) = (Arc::new(a), Membership::new(node("a")));
        let (mut events, at) = (a.events(), b.address().expect("bound"));
        let (followed, links) = (membership.clone(), Arc::clone(&a));
        let following = tokio::spawn(async move { follow(&followed, &links).await });
        let there = member(node("b"), at);
        let soon = Duration::from_secs(20);
        let linked = tokio::time::timeout(soon, async {
            while a.of(&name("b")).is_none() {
                membership.publish([&there].into_iter(), vec![Change::Joined(there.clone())]);
                tokio::task::yield_now().await;
            }
            while events.recv().await.expect("few") != Event::Up(node("b")) {}
        });
        linked.await.expect("it is linked");
        let next = member(node("c"), at);
        let changes = vec![
            Change::Left(node("b"), Departure::Missing),
            Change::Joined(next.clone()),
        ];
        membership.publish([&next].into_iter(), changes);
        let followed = tokio::time::timeout(soon, async {
            while a.of(&name("c")).is_none() {
                tokio::task::yield_now().await;
            }
        });
        followed.await.expect("both changes are followed");
        let link = a.of(&name("b")).expect("it is kept");
        assert_eq!(link.state(), PeerState::Up);
        b.close().await;
        let dropped = tokio::time::timeout(soon, async {
            while a.of(&name("b")).is_some() {
                tokio::task::yield_now().await;
            }
        });
        dropped.await.expect("it does not answer, and is forgotten");
        following.abort();
    }
}
