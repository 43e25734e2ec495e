//! Where clients may go instead of this node.

use starling_cluster::gossip::{Member, Phase, Pins, State};
use starling_core::balance::Census;
use starling_core::id::NodeName;
use starling_protocol::limits::ALTERNATES_MAX;

use super::Cluster;

/// A node that takes clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its name.
    pub name: NodeName,
    /// The HTTP base under which clients reach it.
    pub url: String,
    /// Where it stands; empty for nowhere.
    pub zone: String,
    /// Versions of the client protocol that it speaks.
    pub protocol: (u32, u32),
    /// Whether it offers WebTransport, and the certificates to pin.
    pub webtransport: Option<Pins>,
    /// Sessions that it serves.
    pub load: u32,
}

impl Cluster {
    /// The other nodes that take clients: those that are heard, registered, and stay.
    #[must_use]
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let table = self.table.view();
        let view = self.membership.view();
        let serves = |member: &&Member| {
            let registered = table.nodes().current(&member.node.name);
            member.state == State::Live
                && member.facts.phase == Phase::Serving
                && registered.as_ref() == Some(&member.node)
        };
        let serving = view.members.values().filter(serves);
        serving.filter_map(Neighbour::of).collect()
    }

    /// Where a client is sent that cannot stay: HTTP bases, best first.
    #[must_use]
    pub fn alternates(&self) -> Vec<String> {
        spread(self.neighbours(), fastrand::f64)
    }

    /// Where a client is sent because this node has more than its share, with so many sessions: as
    /// [`alternates`](Self::alternates), and only those that have room, two at most. A client tries three at a time: one that
    /// it knows is among them, should it reach none of these.
    #[must_use]
    pub fn roomier(&self, sessions: usize) -> Vec<String> {
        let neighbours = self.neighbours();
        let census = census(sessions, &neighbours);
        let roomy = neighbours
            .into_iter()
            .filter(|neighbour| census.has_room(neighbour.load));
        let mut best = spread(roomy.collect(), fastrand::f64);
        best.truncate(2);
        best
    }
}

/// How the clients are spread, with so many sessions here.
#[must_use]
pub fn census(sessions: usize, neighbours: &[Neighbour]) -> Census {
    let own = u32::try_from(sessions).unwrap_or(u32::MAX);
    Census::of(own, neighbours.iter().map(|neighbour| neighbour.load))
}

impl Neighbour {
    fn of(member: &Member) -> Option<Self> {
        let facts = &member.facts;
        Some(Self {
            name: member.node.name.clone(),
            url: facts.client_urls.first()?.clone(),
            zone: facts.zone.clone(),
            protocol: facts.protocol,
            webtransport: facts.webtransport.clone(),
            load: facts.load,
        })
    }
}

/// An order that is drawn anew for each client, in which a node with half the sessions is twice as often the first: were
/// all sent to the one that has fewest, it would soon have most.
fn spread(neighbours: Vec<Neighbour>, mut draw: impl FnMut() -> f64) -> Vec<String> {
    // Whoever waits least for the first of its events, which come the more often the less it has to do, goes first.
    let wait = |neighbour: &Neighbour, drawn: f64| -(1.0 - drawn).ln() * (f64::from(neighbour.load) + 1.0);
    let mut drawn: Vec<_> = neighbours
        .into_iter()
        .map(|one| (wait(&one, draw()), one.url))
        .collect();
    drawn.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    drawn.into_iter().map(|(_, url)| url).take(ALTERNATES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(name: &str, load: u32) -> Neighbour {
        Neighbour {
            name: NodeName::parse(name).expect("a name"),
            url: name.to_owned(),
            zone: String::new(),
            protocol: (1, 1),
            webtransport: None,
            load,
        }
    }

    #[test]
    fn who_has_less_to_do_is_named_first_more_often_and_all_are_named() {
        let mut dice = fastrand::Rng::with_seed(8_121);
        let mut first = 0;
        for _ in 0..3_000 {
            let order = spread(vec![neighbour("a", 99), neighbour("b", 199)], || dice.f64());
            assert_eq!(order.len(), 2);
            first += u32::from(order[0] == "a");
        }
        // Two of three, and far from where chance leads.
        assert!((1_900..2_100).contains(&first), "{first}");
        let idle = spread(vec![neighbour("busy", 1_000_000), neighbour("idle", 0)], || 0.5);
        assert_eq!(idle, ["idle", "busy"]);
        let many: Vec<_> = (0..20).map(|number| neighbour(&format!("n{number}"), number)).collect();
        assert_eq!(spread(many, || 0.5).len(), ALTERNATES_MAX);
    }
}
