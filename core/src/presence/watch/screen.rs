//! What watchers are shown of one channel.
//!
//! A new owner may lack clients of gateways that it has not compared with, and have some too many: those gateways are
//! *unsettled*. Of these the screen keeps to what it showed. What it shows and the owner lacks stays, not
//! confirmed; what the owner has and it does not show waits. Both are decided when the gateway settles, or when it is
//! declared dead, or by a change that the gateway itself has told the new owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::turn::Event;
use crate::presence::entry::{Client, Member, Row};
use crate::presence::message::{Count, Doubts, Present};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: BTreeMap<Client, Line>,
    /// Clients of each member that are shown.
    members: BTreeMap<Member, u64>,
    shown: u64,
    /// Who is shown, for all who begin before it changes.
    rows: Option<Arc<[Row]>>,
}

/// One client.
#[derive(Debug, Default)]
struct Line {
    shown: Option<Row>,
    /// The owner has what is shown.
    is_confirmed: bool,
    /// What the owner has, and is not sure of.
    waiting: Option<Present>,
}

impl Screen {
    /// The first that is known.
    pub(super) fn of(rows: Vec<Present>) -> Self {
        let mut screen = Self::default();
        for one in rows {
            let client = one.row.client.clone();
            screen.show(&client, Some(one.row));
        }
        screen
    }

    /// Who is shown, and how: the same to all who ask before it changes.
    pub(super) fn rows(&mut self) -> Arc<[Row]> {
        let shown = || self.lines.values().filter_map(|line| line.shown.clone());
        Arc::clone(self.rows.get_or_insert_with(|| shown().collect()))
    }

    /// How many are shown.
    pub(super) fn count(&self) -> Count {
        Count {
            members: self.members.len() as u64,
            clients: self.shown,
        }
    }

    /// How a client is shown.
    pub(super) fn row(&self, client: &Client) -> Option<&Row> {
        self.lines.get(client)?.shown.as_ref()
    }

    /// Everything that an owner has, who is not sure of some gateways. What that changes.
    pub(super) fn replace(&mut self, rows: Vec<Present>, doubts: &Doubts) -> Vec<Event> {
        for line in self.lines.values_mut() {
            (line.is_confirmed, line.waiting) = (false, None);
        }
        let mut events = Vec::new();
        for one in rows {
            let client = one.row.client.clone();
            match doubts.unsettled.contains(&one.row.gateway) {
                false => events.extend(self.take(&client, Some(one))),
                true => {
                    let line = self.lines.entry(client).or_default();
                    line.is_confirmed = line.shown.is_some();
                    line.waiting = Some(one);
                }
            }
        }
        events.extend(self.decide(doubts));
        events
    }

    /// What has changed at the owner. What that changes here.
    pub(super) fn apply(&mut self, changes: &[(Client, Option<Present>)], doubts: &Doubts) -> Vec<Event> {
        let mut events = Vec::new();
        for (client, one) in changes {
            match one {
                None if doubts.is_holding => self.hold(client),
                one => events.extend(self.take(client, one.clone())),
            }
        }
        events
    }

    /// A client is not where it was. It may be elsewhere: if it is shown, that goes on until the owner knows.
    fn hold(&mut self, client: &Client) {
        if let Some(line) = self.lines.get_mut(client) {
            (line.is_confirmed, line.waiting) = (false, None);
            if line.shown.is_none() {
                self.lines.remove(client);
            }
        }
    }

    /// Decides what the owner is sure of by now.
    pub(super) fn decide(&mut self, doubts: &Doubts) -> Vec<Event> {
        let is_sure = |row: &Row| !doubts.unsettled.contains(&row.gateway);
        let decided = |line: &Line| match (&line.shown, &line.waiting) {
            (_, Some(waiting)) if is_sure(&waiting.row) => Some(Some(waiting.clone())),
            (Some(shown), None) if !line.is_confirmed && is_sure(shown) && !doubts.is_holding => Some(None),
            _ => None,
        };
        let decided = self
            .lines
            .iter()
            .filter_map(|(client, line)| Some((client.clone(), decided(line)?)));
        let decided = decided.collect::<Vec<_>>();
        decided
            .into_iter()
            .filter_map(|(client, one)| self.take(&client, one))
            .collect()
    }

    /// What the owner is sure of. One that is away is not shown that was not.
    fn take(&mut self, client: &Client, one: Option<Present>) -> Option<Event> {
        let is_shown = self.row(client).is_some();
        let one = one.filter(|one| is_shown || !one.is_away);
        self.show(client, one.map(|one| one.row))
    }

    /// A client looks like this, or is gone, for certain.
    fn show(&mut self, client: &Client, row: Option<Row>) -> Option<Event> {
        let before = match &row {
            Some(row) => {
                let line = self.lines.entry(client.clone()).or_default();
                (line.is_confirmed, line.waiting) = (true, None);
                line.shown.replace(row.clone())
            }
            None => self.lines.remove(client)?.shown,
        };
        let clients = self.members.entry(client.member()).or_default();
        let event = match (before, row) {
            (None, Some(row)) => {
                self.shown += 1;
                *clients += 1;
                let is_first = *clients == 1;
                Some(Event::Joined { row, is_first })
            }
            (Some(before), Some(row)) => (before != row).then_some(Event::Updated(row)),
            (Some(_), None) => {
                self.shown -= 1;
                *clients -= 1;
                Some(Event::Left {
                    client: client.clone(),
                    is_last: *clients == 0,
                })
            }
            (None, None) => None,
        };
        if *clients == 0 {
            self.members.remove(&client.member());
        }
        if event.is_some() {
            self.rows = None;
        }
        event
    }
}
