//! How long clients felt each fault.
//!
//! The *publish gap* of a fault is the longest that a publish waited for its acknowledgement while the fault lasted, of
//! those whose publisher is on a node that the fault left alone. A publish that was under way when the fault began has
//! waited since then. The *reconnect gap* is how long a client of the node that the fault hit was without a node, and
//! after that without its channels or its acknowledgements.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, Record};

/// What was felt, in nanoseconds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// One for each fault during which somebody published.
    pub(crate) publish: Vec<u64>,
    /// One for each client that lost its node, for each fault.
    pub(crate) reconnect: Vec<u64>,
    /// All waits for acknowledgements outside of faults: what they are to be compared with.
    pub(crate) undisturbed: Vec<u64>,
}

/// A fault and who is under it.
struct Span<'a> {
    from: u64,
    /// When the next one begins, or all is over.
    to: u64,
    /// When every node was ready again.
    ready: u64,
    /// Clients that were on a node which it left alone, and still are.
    spared: BTreeSet<&'a str>,
    /// Clients of the nodes that were hit, until they are back.
    away: BTreeMap<&'a str, Away<'a>>,
    longest: Option<u64>,
}

/// A client of a node that was hit.
struct Away<'a> {
    /// It lost the connection, or never did.
    has_lost: bool,
    is_connected: bool,
    /// Channels that it reads and is not attached to yet.
    unattached: BTreeSet<&'a str>,
}

impl<'a> Span<'a> {
    /// The fault begins, with clients on these nodes and reading these channels.
    fn begin(
        &mut self,
        faulty: &[String],
        nodes: &BTreeMap<&'a str, &'a str>,
        reads: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    ) {
        for (client, node) in nodes {
            if !faulty.iter().any(|faulty| faulty == node) {
                self.spared.insert(client);
                continue;
            }
            let away = Away {
                has_lost: false,
                is_connected: false,
                unattached: reads.get(client).cloned().unwrap_or_default(),
            };
            self.away.insert(client, away);
        }
    }

    /// A client found a node, or lost it.
    fn moved(&mut self, client: &str, is_connected: bool) {
        // Whoever loses its node meanwhile feels the fault as well, whatever it was meant for.
        if !is_connected {
            self.spared.remove(client);
        }
        if let Some(away) = self.away.get_mut(client) {
            away.has_lost |= !is_connected;
            away.is_connected = is_connected && away.has_lost;
        }
    }

    /// A client is attached or was answered: whether it is back with that.
    fn is_back(&mut self, client: &str, attached: Option<&str>) -> bool {
        let Some(away) = self.away.get_mut(client) else {
            return false;
        };
        // Whoever is attached after it lost its node has another, though that may be noted a moment later.
        if let Some(channel) = attached.filter(|_| away.has_lost) {
            away.is_connected = true;
            away.unattached.remove(channel);
        }
        let is_back = away.is_connected && away.unattached.is_empty();
        if is_back {
            self.away.remove(client);
        }
        is_back
    }
}

impl Gaps {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut gaps = Self::default();
        let mut spans = spans(records);
        let mut at = 0;
        let mut nodes: BTreeMap<&str, &str> = BTreeMap::new();
        let mut reads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut invoked: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for Record { t, event } in records {
            while at < spans.len() && spans[at].to <= *t {
                at += 1;
            }
            let mut under = spans.get_mut(at).filter(|span| span.from <= *t);
            match event {
                Event::Fault { nodes: faulty, .. } => {
                    if let Some(span) = under {
                        span.begin(faulty, &nodes, &reads);
                    }
                }
                Event::Connection { client, node, .. } => {
                    match node {
                        Some(node) => _ = nodes.insert(client, node),
                        None => _ = nodes.remove(client.as_str()),
                    }
                    if let Some(span) = under {
                        span.moved(client, node.is_some());
                    }
                }
                Event::Attached { client, channel, .. } => {
                    reads.entry(client).or_default().insert(channel);
                    if let Some(span) = under.as_mut().filter(|span| span.away.contains_key(client.as_str()))
                        && span.is_back(client, Some(channel))
                    {
                        gaps.reconnect.push(t - span.from);
                    }
                }
                Event::Invoke { channel, value, .. } => _ = invoked.insert((channel, value), *t),
                Event::Ok {
                    client, channel, value, ..
                }
                | Event::Fail {
                    client, channel, value, ..
                } => {
                    let Some(began) = invoked.remove(&(channel.as_str(), value.as_str())) else {
                        continue;
                    };
                    let Some(span) = under else {
                        gaps.undisturbed.push(t - began);
                        continue;
                    };
                    if span.spared.contains(client.as_str()) {
                        span.longest = span.longest.max(Some(t - began.max(span.from)));
                    } else if span.is_back(client, None) {
                        gaps.reconnect.push(t - span.from);
                    }
                    if began > span.ready {
                        gaps.undisturbed.push(t - began);
                    }
                }
                _ => {}
            }
        }
        let end = records.last().map_or(0, |record| record.t);
        for span in &spans {
            // Who was not back when the next fault came was away at least so long.
            let lost = span.away.values().filter(|away| away.has_lost);
            gaps.reconnect.extend(lost.map(|_| span.to.min(end) - span.from));
        }
        gaps.publish = spans.into_iter().filter_map(|span| span.longest).collect();
        gaps
    }
}

fn spans<'a>(records: &[Record]) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    for Record { t, event } in records {
        match event {
            Event::Fault { .. } => {
                if let Some(before) = spans.last_mut() {
                    before.to = *t;
                }
                spans.push(Span {
                    from: *t,
                    to: u64::MAX,
                    ready: u64::MAX,
                    spared: BTreeSet::new(),
                    away: BTreeMap::new(),
                    longest: None,
                });
            }
            Event::Ready { .. } => {
                if let Some(last) = spans.last_mut() {
                    last.ready = *t;
                }
            }
            _ => {}
        }
    }
    spans
}

/// What so many in a hundred are at most, in milliseconds; `None` of nothing.
pub(crate) fn percentile_ms(values: &[u64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    let value = *sorted.get(at)?;
    Some((value / 10_000) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64, event: Event) -> Record {
        Record {
            t: ms * 1_000_000,
            event,
        }
    }

    fn connection(client: &str, node: Option<&str>) -> Event {
        Event::Connection {
            client: client.into(),
            node: node.map(Into::into),
            detail: String::new(),
        }
    }

    fn attached(client: &str, channel: &str) -> Event {
        Event::Attached {
            client: client.into(),
            channel: channel.into(),
            outcome: "resumed".into(),
            epoch: "e".into(),
            seq: 1,
            head: 1,
        }
    }

    fn invoke(value: &str) -> Event {
        let (client, _) = value.split_once('/').expect("a publish");
        Event::Invoke {
            client: client.into(),
            channel: "c".into(),
            value: value.into(),
        }
    }

    fn ok(value: &str) -> Event {
        let (client, _) = value.split_once('/').expect("a publish");
        Event::Ok {
            client: client.into(),
            channel: "c".into(),
            value: value.into(),
            serial: 1,
            epoch: "e".into(),
            seq: 1,
            term: 1,
            copies: 2,
            duplicate: false,
        }
    }

    fn kill(number: u32) -> Event {
        Event::Fault {
            number,
            what: "kill".into(),
            nodes: vec!["a".into()],
            loses: false,
        }
    }

    #[test]
    fn survivors_make_the_publish_gap_and_the_others_the_reconnect_gap() {
        let records = [
            at(0, connection("p1", Some("b"))),
            at(0, connection("p2", Some("a"))),
            at(0, connection("s1", Some("a"))),
            at(1, attached("s1", "c")),
            at(1, attached("s1", "d")),
            at(10, invoke("p1/1")),
            at(12, ok("p1/1")),
            at(90, invoke("p1/2")),
            at(95, invoke("p2/1")),
            at(100, kill(1)),
            at(110, connection("p2", None)),
            at(120, connection("s1", None)),
            at(300, connection("p2", Some("b"))),
            at(310, connection("s1", Some("b"))),
            at(320, attached("s1", "d")),
            at(900, ok("p1/2")),
            at(950, invoke("p1/3")),
            at(1000, ok("p2/1")),
            at(1050, attached("s1", "c")),
            at(1100, ok("p1/3")),
            at(1500, Event::Healed { number: 1 }),
            at(1600, Event::Ready { number: 1 }),
            at(1700, invoke("p1/4")),
            at(1703, ok("p1/4")),
            at(1710, connection("s2", Some("a"))),
            at(2000, kill(2)),
            at(2010, invoke("p1/5")),
            at(2020, connection("s2", None)),
            at(2050, ok("p1/5")),
            at(2100, connection("p1", None)),
            at(2110, invoke("p1/6")),
            at(2500, connection("p1", Some("a"))),
            at(2600, ok("p1/6")),
            at(3000, Event::Quiet),
        ];
        let gaps = Gaps::of(&records);
        let ms = |values: &[u64]| values.iter().map(|ns| ns / 1_000_000).collect::<Vec<_>>();
        assert_eq!(ms(&gaps.publish), [800, 40]);
        // The last never came back.
        assert_eq!(ms(&gaps.reconnect), [900, 950, 1000]);
        assert_eq!(ms(&gaps.undisturbed), [2, 3]);
    }

    #[test]
    fn whoever_kept_its_node_has_no_reconnect_gap() {
        let records = [
            at(0, connection("p1", Some("a"))),
            at(100, kill(1)),
            at(110, invoke("p1/1")),
            at(400, ok("p1/1")),
        ];
        assert_eq!(Gaps::of(&records), Gaps::default());
    }

    #[test]
    fn whoever_is_attached_again_is_back_though_its_node_is_noted_later() {
        let records = [
            at(0, connection("s1", Some("a"))),
            at(1, attached("s1", "c")),
            at(100, kill(1)),
            at(110, connection("s1", None)),
            at(300, attached("s1", "c")),
            at(301, connection("s1", Some("b"))),
            at(3000, Event::Quiet),
        ];
        assert_eq!(Gaps::of(&records).reconnect, [200 * 1_000_000]);
    }

    #[test]
    fn percentiles_are_values_that_were_met() {
        let values: Vec<u64> = (1..=100).map(|ms| ms * 1_000_000).collect();
        assert_eq!(percentile_ms(&values, 50), Some(50.0));
        assert_eq!(percentile_ms(&values, 99), Some(99.0));
        assert_eq!(percentile_ms(&values, 100), Some(100.0));
        assert_eq!(percentile_ms(&values[..1], 50), Some(1.0));
        assert_eq!(percentile_ms(&[], 50), None);
    }
}
