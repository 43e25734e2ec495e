//! The last steps of a member that ends: it says so, waits until nobody waits for it, and closes its links.
//!
//! An owner acknowledges what every member of the in-sync set holds. If a node were gone before the owners have taken it
//! out of their sets, their publishers would wait as long as after a crash. And the table takes it out: so if this node
//! leads the table, it goes on doing that until then.

use std::time::Duration;

use starling_core::table::Table;
use tokio::time::timeout;

use super::{Cluster, Standing};

/// How long a node that ends waits until the others hold their slots without it. They ask the table at once, so it takes some
/// tens of milliseconds. What is left by then waits until the links have found out.
const LET_GO_TIME_MAX: Duration = Duration::from_secs(2);

impl Cluster {
    /// Says that this node is gone, and takes no part any more. What it owned has to be handed over before.
    pub async fn leave(&self) {
        let had_successor = self.has_successor();
        self.standing.send_if_modified(|standing| {
            let goes_on = !matches!(standing, Standing::Out(_));
            if goes_on {
                *standing = Standing::Left;
            }
            goes_on
        });
        self.voice.leave().await;
        if had_successor && timeout(LET_GO_TIME_MAX, self.let_go()).await.is_err() {
            tracing::warn!(
                slots = self.held(&self.table.view()),
                "ending while owners of slots count on this node: they wait until its links are down"
            );
        }
        // If this node leads the table the others elect another meanwhile.
        self.table.stop().await;
        self.links.close().await;
        // Not before: they read what comes in.
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
    }

    /// Waits until no slot counts on this node.
    async fn let_go(&self) {
        let mut changes = self.table.changes();
        while self.held(&self.table.view()) > 0 {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Slots whose in-sync set has this node in it.
    fn held(&self, table: &Table) -> usize {
        let records = table.records();
        records.filter(|(_, record)| record.isr.contains(&self.me)).count()
    }
}
