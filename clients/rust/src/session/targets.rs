//! Which nodes to connect to next.
//!
//! First those that the server named when it said goodbye; then those the application gave and those a node told of, the
//! one that was tried longest ago before the others. So a client that has lost its node goes to another first, and comes
//! back to it last. Nodes that were never tried come in the order in which they were given until one is reached; after
//! that in one that each client draws, so that those of a node that died do not all go to the same. A node leads the client,
//! and its token, only to nodes of the scheme that it was reached over itself.

use fastrand::Rng;
use starling_protocol::limits;
use url::Url;

/// Nodes kept from what a node told of its cluster. As many as a Goodbye may name: enough to find a live one, and a
/// node of a larger cluster names others.
const LEARNED_MAX: usize = limits::ALTERNATES_MAX;

/// Nodes of one attempt: with two that are dead, a third is reached within seconds; and what is slow because all clients
/// come at once is not made much slower by each coming several times.
const CONTENDERS_MAX: usize = 3;

/// The nodes a client knows.
#[derive(Debug)]
pub(crate) struct Targets {
    given: Vec<Url>,
    /// These and those that a node told of, in the order in which those are tried that never were.
    known: Vec<Url>,
    hints: Vec<Url>,
    /// Known nodes that were tried, in the order of their last time.
    tried: Vec<Url>,
    /// Those of the attempt that is under way, in order.
    contenders: Vec<Url>,
    /// The node that was reached last.
    current: Option<Url>,
}

impl Targets {
    pub(crate) fn new(given: Vec<Url>) -> Self {
        Self {
            known: given.clone(),
            given,
            hints: Vec::new(),
            tried: Vec::new(),
            contenders: Vec::new(),
            current: None,
        }
    }

    /// The nodes to try now, the first before the others.
    pub(crate) fn next(&mut self) -> Vec<Url> {
        let mut known = self.known.clone();
        known.sort_by_key(|url| self.tried.iter().position(|tried| tried == url).map(|at| at + 1));
        let mut contenders: Vec<Url> = Vec::new();
        for url in self.hints.drain(..).chain(known) {
            if contenders.len() < CONTENDERS_MAX && !contenders.contains(&url) {
                contenders.push(url);
            }
        }
        self.contenders.clone_from(&contenders);
        contenders
    }

    /// One of them was reached.
    pub(crate) fn reached(&mut self, url: Url) {
        let contenders = std::mem::take(&mut self.contenders);
        let before = contenders.into_iter().take_while(|contender| *contender != url);
        before.for_each(|contender| self.try_later(contender));
        self.try_later(url.clone());
        self.current = Some(url);
    }

    /// None of them was reached.
    pub(crate) fn missed(&mut self) {
        let contenders = std::mem::take(&mut self.contenders);
        contenders.into_iter().for_each(|contender| self.try_later(contender));
    }

    /// Failures that count as one: the attempts that it takes to try every node.
    pub(crate) fn round(&self) -> u32 {
        u32::try_from(self.known.len().div_ceil(CONTENDERS_MAX)).unwrap_or(u32::MAX)
    }

    /// The server said goodbye and named these, best first.
    pub(crate) fn hint(&mut self, alternates: &[String]) {
        let hints = alternates
            .iter()
            .take(limits::ALTERNATES_MAX)
            .filter_map(|url| Url::parse(url).ok());
        self.hints = hints.filter(|url| self.is_as_safe(url)).collect();
    }

    /// The node told of others of its cluster.
    pub(crate) fn learn(&mut self, nodes: Vec<Url>, rng: &mut Rng) {
        let mut learned = Vec::new();
        for url in nodes {
            if self.is_as_safe(&url) && !self.given.contains(&url) && !learned.contains(&url) {
                learned.push(url);
            }
        }
        // A node that is cut off from its cluster knows of none, and of those it told before some may live.
        let is_alone = learned.iter().all(|url| Some(url) == self.current.as_ref());
        if is_alone && self.known.len() > self.given.len() {
            return;
        }
        rng.shuffle(&mut learned);
        learned.truncate(LEARNED_MAX);
        self.known = self.given.iter().cloned().chain(learned).collect();
        rng.shuffle(&mut self.known);
        self.tried.retain(|url| self.known.contains(url));
    }

    /// Puts it behind all others.
    fn try_later(&mut self, url: Url) {
        self.tried.retain(|tried| *tried != url);
        if self.known.contains(&url) {
            self.tried.push(url);
        }
    }

    fn is_as_safe(&self, url: &Url) -> bool {
        let scheme = self.current.as_ref().map(Url::scheme);
        url.has_host() && matches!(url.scheme(), "http" | "https") && scheme == Some(url.scheme())
    }
}

#[cfg(test)]
mod tests;
