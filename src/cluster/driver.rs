//! What happens around a node's slots, told to each: the table has changed, a node is down, another should hold it.
//!
//! ```text
//!   table ──▶ Table      ┐
//!   links ──▶ Heard      ├──▶ slot actors ──▶ wishes ──▶ table
//!   planner ─▶ Wanted    ┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use starling_cluster::gossip::{self, Departure};
use starling_cluster::link::{Event, PeerState};
use starling_cluster::table::COMMANDS_MAX;
use starling_core::id::{Generation, NodeId, NodeName, SlotId};
use starling_core::placement::planner::{self, Member, Planner, Standing};
use starling_core::table::{Command, Record, Table};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

use super::peers::{Peers, Wish};
use super::{Cluster, SlotInboxes, inbox, probe};
use crate::actor::presence::{self, ShardId};
use crate::actor::registry::Registry;
use crate::actor::slot::Message;

/// How often the planner looks when nothing has happened: what it holds down passes by time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a node that stops waits for others to take its slots. A thousand take some seconds; whoever stops it may kill it
/// after thirty.
const HAND_OVER_TIME_MAX: Duration = Duration::from_secs(15);

/// How often it looks whether they have.
const HAND_OVER_LOOK: Duration = Duration::from_millis(50);

/// What the slots of a node with peers need, before anybody serves them.
pub struct Slots {
    /// The way to the other nodes.
    pub peers: Arc<Peers>,
    cluster: Arc<Cluster>,
    wishes: mpsc::Receiver<Wish>,
    inboxes: SlotInboxes,
}

impl Slots {
    /// For `slots` slots. A wish waits for each, and as many again of slots that began anew.
    #[must_use]
    pub fn new(cluster: &Arc<Cluster>, inboxes: SlotInboxes, slots: u16) -> Self {
        let (sender, wishes) = mpsc::channel(2 * usize::from(slots));
        Self {
            peers: Arc::new(Peers::new(
                cluster.me.clone(),
                slots,
                Arc::clone(&cluster.links),
                sender,
            )),
            cluster: Arc::clone(cluster),
            wishes,
            inboxes,
        }
    }

    /// Serves the slots until the set is dropped.
    pub fn serve(self, registry: &Registry) -> JoinSet<()> {
        let Self {
            peers,
            cluster,
            wishes,
            inboxes,
        } = self;
        let mut tasks = JoinSet::new();
        for lane in inboxes {
            tasks.spawn(inbox::read(lane, registry.clone(), Arc::clone(&peers)));
        }
        tasks.spawn(grant(registry.clone(), Arc::clone(&cluster), wishes));
        tasks.spawn(Driver::new(registry.clone(), Arc::clone(&cluster)).run());
        tasks.spawn(probe::run(registry.clone(), cluster));
        tasks
    }
}

/// Waits until others own what a draining node had, if there is anybody who could.
pub async fn handed_over(registry: &Registry) {
    let Some(cluster) = registry.services().cluster.as_ref() else {
        return;
    };
    let until = Instant::now() + HAND_OVER_TIME_MAX;
    while registry.owned() > 0 && cluster.has_successor() && Instant::now() < until {
        tokio::time::sleep(HAND_OVER_LOOK).await;
    }
    match registry.owned() {
        0 => tracing::info!("other nodes own all slots"),
        slots => tracing::warn!(
            slots,
            "stopping as the owner of slots: they are without one until another node claims them"
        ),
    }
}

/// Takes the wishes of all slots to the table, as many together as there are.
async fn grant(registry: Registry, cluster: Arc<Cluster>, mut wishes: mpsc::Receiver<Wish>) {
    let mut together = Vec::new();
    while wishes.recv_many(&mut together, COMMANDS_MAX).await > 0 {
        let commands = together.iter().map(|wish| Command::Change {
            slot: wish.slot,
            version: wish.version,
            by: cluster.me.clone(),
            change: wish.change.clone(),
        });
        // Without an answer nobody knows what became of them: the slots look at the table, and ask again.
        let outcomes = cluster.table.submit(commands.collect()).await.unwrap_or_default();
        for (wish, outcome) in together.drain(..).zip(outcomes) {
            let number = wish.number;
            let _ = registry
                .slot(wish.slot)
                .post_single(Message::Answered { number, outcome });
        }
    }
}

struct Driver {
    registry: Registry,
    cluster: Arc<Cluster>,
    /// The version of each slot's record that its actor was told.
    told: Vec<u64>,
    down: BTreeSet<NodeId>,
    /// The newest start of each name that has said it ends. It still answers, and holds nothing for anybody any more.
    ended: BTreeMap<NodeName, Generation>,
    planner: Planner,
    /// The newest start of each name that the shards of presence were told of.
    known: BTreeMap<NodeName, Generation>,
    /// The newest start of each name that was linked.
    linked: BTreeMap<NodeName, Generation>,
    /// Most of those who decide about the slots are heard.
    has_quorum: bool,
}

impl Driver {
    fn new(registry: Registry, cluster: Arc<Cluster>) -> Self {
        let zone = &registry.services().config.node.zone;
        Self {
            told: vec![0; usize::from(registry.services().slots)],
            planner: Planner::new(cluster.me.clone(), zone.as_str().into(), planner::Config::default()),
            down: BTreeSet::new(),
            ended: BTreeMap::new(),
            known: BTreeMap::new(),
            linked: BTreeMap::new(),
            has_quorum: true,
            registry,
            cluster,
        }
    }

    /// Says how many slots lack an owner, or this node's copy.
    fn count(&self) {
        self.cluster.set_behind(self.registry.unsettled());
    }

    async fn run(mut self) {
        let mut table = self.cluster.table.changes();
        let mut links = self.cluster.links.events();
        let mut members = self.cluster.membership.changes();
        let mut duty = self.cluster.duty();
        let mut look_at = Instant::now();
        loop {
            self.count();
            tokio::select! {
                changed = table.changed() => if changed.is_err() { return },
                event = links.recv() => match event {
                    Ok(event) => self.linked(event),
                    Err(RecvError::Lagged(_)) => self.look_at_links(),
                    Err(RecvError::Closed) => return,
                },
                change = members.recv() => match change {
                    Ok(gossip::Change::Left(node, why)) => self.left(&node, why),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                changed = duty.changed() => if changed.is_err() { return },
                () = sleep_until(look_at) => {}
            }
            let view = self.cluster.table.view();
            self.tell_quorum();
            self.tell_registered(&view);
            self.tell_records(&view);
            look_at = Instant::now() + LOOK_EVERY;
            if let Some(sooner) = self.plan(&view) {
                look_at = look_at.min(sooner);
            }
        }
    }

    /// Tells slots what has changed about them.
    fn tell_records(&mut self, table: &Table) {
        for ((slot, record), told) in table.records().zip(&mut self.told) {
            if record.version > *told {
                *told = record.version;
                tell_placed(&self.registry, &self.cluster.me, slot, record);
                let record = Box::new(record.clone());
                let _ = self.registry.slot(slot).post_single(Message::Table(record));
            }
        }
    }

    /// Tells the shards of nodes that this one has not heard of otherwise: what they have entered may lack here.
    fn tell_registered(&mut self, table: &Table) {
        // Under its own name the table may have an earlier start yet.
        let nodes = table.nodes().nodes().filter(|node| node.name != self.cluster.me.name);
        let is_news = |node: &NodeId| self.known.get(&node.name).is_none_or(|known| *known < node.generation);
        for node in nodes.filter(is_news).collect::<Vec<_>>() {
            self.stands(&node, presence::Standing::Suspect);
        }
    }

    /// Tells the shards whether this node hears from most of those who decide about the slots.
    fn tell_quorum(&mut self) {
        let voters = self.cluster.table.electorate().voters;
        let is_heard = |name: &NodeName| {
            let link = self.cluster.links.of(name);
            *name == self.cluster.me.name || link.is_some_and(|link| link.state() != PeerState::Down)
        };
        let heard = voters.iter().filter(|name| is_heard(name)).count();
        let has_quorum = 2 * heard > voters.len();
        if has_quorum != std::mem::replace(&mut self.has_quorum, has_quorum) {
            self.registry.tell_presence(|| presence::Happening::Quorum(has_quorum));
        }
    }

    fn stands(&mut self, node: &NodeId, standing: presence::Standing) {
        let known = self.known.entry(node.name.clone()).or_insert(node.generation);
        *known = node.generation.max(*known);
        self.registry.tell_presence(|| presence::Happening::Standing {
            node: node.clone(),
            standing,
        });
    }

    /// Tells slots who should hold them. When to look again.
    fn plan(&mut self, table: &Table) -> Option<Instant> {
        let now = self.registry.services().clock.now().instant;
        let members = seen(&self.cluster.membership.view());
        let view = planner::View {
            table,
            members: &members,
            down: &self.down,
            is_draining: self.cluster.is_draining(),
        };
        let plan = self.planner.plan(&view, now);
        for (slot, wanted) in plan.changed {
            let _ = self.registry.slot(slot).post_single(Message::Wanted(wanted));
        }
        plan.again.map(Instant::from_std)
    }

    fn linked(&mut self, event: Event) {
        match event {
            Event::Up(node) => self.up(node),
            Event::Down(node, cause) => {
                tracing::warn!(%node, ?cause, "a node does not answer");
                self.hear(node, false);
            }
            Event::Reset(node) => self.reset(&node),
            Event::Suspect(node) => self.stands(&node, presence::Standing::Suspect),
            Event::Refused(..) => {}
        }
    }

    /// A node is linked and heard. The table may have told of it before there was a way to it, and what the shards of presence
    /// said to it then is lost.
    fn up(&mut self, node: NodeId) {
        let is_new = self.linked.insert(node.name.clone(), node.generation) != Some(node.generation);
        self.hear(node.clone(), true);
        if is_new {
            self.registry.tell_presence(|| presence::Happening::Reset(node.clone()));
        }
    }

    fn left(&mut self, node: &NodeId, why: Departure) {
        let link = self.cluster.links.of(&node.name);
        // It is only gossip that has not heard it for long.
        let is_linked = link.is_some_and(|link| link.node() == node && link.state() != PeerState::Down);
        if why == Departure::Missing && is_linked {
            return;
        }
        if why == Departure::Said {
            let ended = self.ended.entry(node.name.clone()).or_insert(node.generation);
            *ended = node.generation.max(*ended);
        }
        self.hear(node.clone(), false);
        self.reset(node);
    }

    fn look_at_links(&mut self) {
        for link in self.cluster.links.all() {
            self.hear(link.node().clone(), link.state() != PeerState::Down);
            self.reset(link.node());
        }
    }

    fn hear(&mut self, node: NodeId, answers: bool) {
        let has_ended = self
            .ended
            .get(&node.name)
            .is_some_and(|ended| node.generation <= *ended);
        let answers = answers && !has_ended;
        let changes = match answers {
            true => self.down.remove(&node),
            false => self.down.insert(node.clone()),
        };
        // A younger process of the name is up: the older is gone for good.
        if answers {
            self.down.retain(|older| older.name != node.name);
        }
        if changes || answers {
            let standing = match answers {
                true => presence::Standing::Up,
                false => presence::Standing::Down,
            };
            self.stands(&node, standing);
            if !answers {
                self.registry.tell_documents_gone(&node);
            }
            self.tell_slots(|| Message::Heard {
                node: node.clone(),
                answers,
            });
        }
    }

    fn reset(&self, node: &NodeId) {
        self.tell_slots(|| Message::Reset { node: node.clone() });
        self.registry.tell_presence(|| presence::Happening::Reset(node.clone()));
        self.registry.tell_documents_reset(node);
    }

    fn tell_slots(&self, message: impl Fn() -> Message) {
        for slot in (0..self.registry.services().slots).map(SlotId) {
            let _ = self.registry.slot(slot).post_single(message());
        }
    }
}

/// Tells a shard of presence who has one of its slots.
fn tell_placed(registry: &Registry, me: &NodeId, slot: SlotId, record: &Record) {
    let owner = record.owner.clone().map(|owner| (owner, record.term));
    let placed = presence::Happening::Placed {
        slot,
        owner,
        is_replica: record.isr.contains(me),
    };
    let message = presence::Message::Happened(placed);
    let _ = registry.presence(ShardId::of(slot)).post_single(message);
}

/// What gossip knows of the other nodes, as the planner takes it.
fn seen(view: &gossip::View) -> Vec<Member> {
    let members = view.members.values();
    members
        .map(|member| Member {
            node: member.node.clone(),
            standing: match (member.state, member.facts.phase) {
                (gossip::State::Suspected, _) => Standing::Silent,
                (gossip::State::Live, gossip::Phase::Serving) => Standing::Serving,
                (gossip::State::Live, gossip::Phase::Draining | gossip::Phase::Left) => Standing::Draining,
            },
            zone: member.facts.zone.as_str().into(),
        })
        .collect()
}
