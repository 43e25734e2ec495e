//! What holds for the channels of a namespace. A channel whose namespace is not listed does not
//! exist: nothing is created by a typing error.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::backpressure::Policy;
use crate::channel;
use crate::id::ChannelName;
use crate::{presence, slot};

/// The settings of one namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// Its name: what stands before the first colon of a channel's name.
    pub name: Arc<str>,
    /// How its channels keep their messages.
    pub channel: channel::Config,
    /// What happens to a slow reader that chose nothing.
    pub policy: Policy,
    /// Time between two publishes of one session on average; `None` sets no rate.
    pub publish_interval: Option<Duration>,
    /// Bytes of payload that one session may publish in a second on average; `None` sets no rate.
    pub publish_bytes: Option<NonZeroU64>,
    /// Who may be seen in its channels.
    pub presence: presence::Settings,
}

/// Every namespace of a node, by name.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    by_name: HashMap<Arc<str>, Arc<Namespace>>,
    /// For channels whose namespace was taken out of the configuration while a slot held them.
    fallback: channel::Config,
}

impl Namespaces {
    /// The namespace that a channel belongs to.
    #[must_use]
    pub fn of(&self, channel: &ChannelName) -> Option<&Arc<Namespace>> {
        self.by_name.get(channel.namespace())
    }

    /// What they say about presence.
    #[must_use]
    pub fn presence(&self) -> presence::Namespaces {
        let all = self.by_name.values();
        all.map(|one| (Arc::clone(&one.name), one.presence)).collect()
    }

    /// The settings of a channel that exists.
    #[must_use]
    pub fn channel(&self, channel: &ChannelName) -> &channel::Config {
        self.of(channel).map_or(&self.fallback, |namespace| &namespace.channel)
    }
}

impl slot::Settings for Namespaces {
    fn of(&self, channel: &ChannelName) -> &channel::Config {
        self.channel(channel)
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<T: IntoIterator<Item = Namespace>>(namespaces: T) -> Self {
        let named = namespaces.into_iter().map(|one| (Arc::clone(&one.name), Arc::new(one)));
        Self {
            by_name: named.collect(),
            fallback: channel::Config::default(),
        }
    }
}
