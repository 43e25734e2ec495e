//! Who belongs to the cluster, for everybody who asks: a view that costs a pointer, and what changes in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use starling_core::id::{NodeId, NodeName};
use tokio::sync::broadcast;

use super::members::{Change, Member};

/// Changes that one follower may be behind. A rolling restart of a hundred nodes makes as many; whoever is further behind
/// is told how many it missed, and looks at the view again.
pub const CHANGES_MAX: usize = 256;

/// Everybody but this node, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// By name: each has one generation.
    pub members: BTreeMap<NodeName, Member>,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Membership {
    me: NodeId,
    view: Arc<ArcSwap<View>>,
    changes: broadcast::Sender<Change>,
}

impl Membership {
    pub(crate) fn new(me: NodeId) -> Self {
        Self {
            me,
            view: Arc::default(),
            changes: broadcast::channel(CHANGES_MAX).0,
        }
    }

    /// This node.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// Who belongs to the cluster now.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// What changes from now on. Take it before the view, and nothing is missed between the two.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// The view changes first: who hears of a change finds it there.
    pub(crate) fn publish<'a>(&self, members: impl Iterator<Item = &'a Member>, changes: Vec<Change>) {
        let members = members
            .map(|member| (member.node.name.clone(), member.clone()))
            .collect();
        self.view.store(Arc::new(View { members }));
        for change in changes {
            // Nobody may follow.
            let _ = self.changes.send(change);
        }
    }
}
