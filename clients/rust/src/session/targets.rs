//! Which node to connect to next.
//!
//! First those that the server named when it said goodbye, then those the application gave, in turn, then others that
//! a node told of. A node that was reached over https cannot lead the client, and its token, to plain http.

use std::collections::VecDeque;

use starling_protocol::limits;
use url::Url;

/// Nodes kept from what a node told of its cluster. As many as a Goodbye may name: enough to find a live one, and a
/// node of a larger cluster names others.
const LEARNED_MAX: usize = limits::ALTERNATES_MAX;

/// The nodes a client knows.
#[derive(Debug)]
pub(crate) struct Targets {
    given: Vec<Url>,
    learned: Vec<Url>,
    hints: VecDeque<Url>,
    turn: usize,
    current: Option<Url>,
}

impl Targets {
    pub(crate) fn new(given: Vec<Url>) -> Self {
        Self {
            given,
            learned: Vec::new(),
            hints: VecDeque::new(),
            turn: 0,
            current: None,
        }
    }

    /// The node to try now.
    pub(crate) fn next(&mut self) -> Option<Url> {
        let target = self.hints.pop_front().or_else(|| {
            let all = self.given.len() + self.learned.len();
            let at = self.turn.checked_rem(all)?;
            self.turn = at + 1;
            self.given.iter().chain(&self.learned).nth(at).cloned()
        })?;
        self.current = Some(target.clone());
        Some(target)
    }

    /// Attempts after which every node has been tried.
    pub(crate) fn round(&self) -> u32 {
        u32::try_from(self.given.len() + self.learned.len()).unwrap_or(u32::MAX)
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
    pub(crate) fn learn(&mut self, nodes: Vec<Url>) {
        let new = |url: &Url| self.is_as_safe(url) && !self.given.contains(url);
        let mut learned: Vec<_> = nodes.into_iter().filter(new).collect();
        learned.dedup();
        learned.truncate(LEARNED_MAX);
        self.learned = learned;
    }

    fn is_as_safe(&self, url: &Url) -> bool {
        let was_safe = self.current.as_ref().is_some_and(|current| current.scheme() == "https");
        url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && !was_safe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL of the test")
    }

    fn targets(given: &[&str]) -> Targets {
        Targets::new(given.iter().map(|text| url(text)).collect())
    }

    #[test]
    fn nodes_are_tried_in_turn_and_hints_before_them() {
        let mut targets = targets(&["http://a", "http://b"]);
        assert_eq!(targets.next(), Some(url("http://a")));
        targets.learn(vec![url("http://b"), url("http://c")]);
        assert_eq!(targets.round(), 3, "b is known already");
        targets.hint(&["http://d".into(), "not a url".into(), "http://e".into()]);
        let order: Vec<_> = (0..6).filter_map(|_| targets.next()).collect();
        assert_eq!(
            order,
            ["http://d", "http://e", "http://b", "http://c", "http://a", "http://b"].map(url)
        );
    }

    #[test]
    fn https_does_not_lead_to_http() {
        let mut targets = targets(&["https://a"]);
        assert_eq!(targets.next(), Some(url("https://a")));
        targets.hint(&["http://evil".into(), "file:///etc".into(), "https://b".into()]);
        targets.learn(vec![url("http://evil"), url("https://c")]);
        let order: Vec<_> = (0..3).filter_map(|_| targets.next()).collect();
        assert_eq!(order, ["https://b", "https://c", "https://a"].map(url));
    }

    #[test]
    fn what_is_learned_is_bounded_and_replaced() {
        let mut targets = targets(&["http://a"]);
        targets.next();
        targets.learn((0..100).map(|n| url(&format!("http://n{n}"))).collect());
        assert_eq!(targets.round(), 1 + LEARNED_MAX as u32);
        targets.learn(Vec::new());
        assert_eq!(targets.round(), 1);
    }
}
