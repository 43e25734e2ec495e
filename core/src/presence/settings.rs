//! What a namespace says about presence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::id::ChannelName;

/// How much of a channel its watchers may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// How many are there.
    Count,
    /// Who is there.
    #[default]
    Roster,
}

/// The settings of one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The most that watchers may see.
    pub mode: Mode,
    /// How long a client that was lost may take to return before it has left.
    pub grace: Duration,
    /// The same of a client that closed its connection without a goodbye, as a browser does for a page that is closed or
    /// loaded again. Never more than `grace`.
    pub reload_grace: Duration,
    /// Clients of a channel up to which its roster is told. Above it, its watchers are told how many there are until a
    /// tenth less are left; nobody is turned away, for a count that leaves out people is wrong.
    pub roster_max: usize,
    /// Bytes of a client's state. A longer one is refused.
    pub state_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Roster,
            grace: Duration::from_secs(5),
            reload_grace: Duration::from_secs(1),
            roster_max: 20_000,
            state_bytes_max: 1_024,
        }
    }
}

/// The settings of every namespace, by name.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    by_name: BTreeMap<Arc<str>, Settings>,
    /// For channels whose namespace another node has in its configuration and this one has not.
    fallback: Settings,
}

impl Namespaces {
    /// The settings of a channel.
    #[must_use]
    pub fn of(&self, channel: &ChannelName) -> Settings {
        self.by_name.get(channel.namespace()).copied().unwrap_or(self.fallback)
    }

    /// Every grace that some namespace has, the longest last.
    pub(super) fn graces(&self) -> Vec<Duration> {
        let all = self.by_name.values().chain([&self.fallback]);
        let mut graces: Vec<_> = all.map(|settings| settings.grace).collect();
        graces.sort_unstable();
        graces.dedup();
        graces
    }
}

impl FromIterator<(Arc<str>, Settings)> for Namespaces {
    fn from_iter<T: IntoIterator<Item = (Arc<str>, Settings)>>(namespaces: T) -> Self {
        Self {
            by_name: namespaces.into_iter().collect(),
            fallback: Settings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_the_settings_of_its_namespace() {
        let counted = Settings {
            mode: Mode::Count,
            grace: Duration::from_secs(9),
            ..Settings::default()
        };
        let namespaces = Namespaces::from_iter([(Arc::from("stage"), counted)]);
        let of = |name| namespaces.of(&ChannelName::parse(name).unwrap());
        assert_eq!(of("stage:main"), counted);
        assert_eq!(of("chat:main"), Settings::default());
        assert_eq!(namespaces.graces(), [5, 9].map(Duration::from_secs));
    }
}
