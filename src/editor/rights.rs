//! What a token allows with a document.

use std::sync::Arc;

use starling_core::access::{Grant, Operation};
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use crate::actor::registry::Registry;
use crate::auth::Denied;
use crate::quotas::Party;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    /// Edits are taken.
    pub(super) may_write: bool,
    /// Awareness states are taken.
    pub(super) may_show: bool,
    /// When they end.
    pub(super) expires: Option<WallTime>,
    /// Whose they are.
    pub(super) grant: Arc<Grant>,
}

/// Why there are none.
#[derive(Debug)]
pub(super) enum NoRights {
    /// The token was not accepted.
    Unauthorized(String),
    /// Too many were not, lately.
    Throttled,
    /// Whoever it is puts too many documents into use.
    TooMany(String),
    /// It does not allow to read the document.
    Forbidden,
}

impl Rights {
    /// What a token, or none, allows with a document. One that nobody uses here costs an actor and a load: how often somebody may
    /// do that is the rate of channels, `slots.open_rate`.
    pub(super) fn of(
        registry: &Registry,
        party: &mut Party,
        token: &str,
        document: &ChannelName,
    ) -> Result<Self, NoRights> {
        let services = registry.services();
        let now = services.clock.now();
        let admit = || services.auth.admit(token, now.wall);
        let grant = services.quotas.admit(party, now.instant, admit).map_err(|denied| {
            services.metrics.unauthorized(denied.name());
            match denied {
                Denied::TooOften { .. } => NoRights::Throttled,
                denied => NoRights::Unauthorized(denied.to_string()),
            }
        })?;
        let may = |operation| grant.allows(document, operation);
        if !may(Operation::DocRead) {
            services.metrics.unauthorized("document");
            return Err(NoRights::Forbidden);
        }
        party.identify(&grant);
        if !registry.is_edited(document) {
            let opened = services.quotas.open(party, now.instant);
            opened.map_err(|refusal| NoRights::TooMany(refusal.to_string()))?;
        }
        Ok(Self {
            may_write: may(Operation::DocWrite),
            may_show: may(Operation::Awareness),
            expires: grant.expires,
            grant,
        })
    }
}

impl NoRights {
    /// In words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unauthorized(why) | Self::TooMany(why) => why.clone(),
            Self::Throttled => "too many tokens from here were not accepted; try again shortly".to_owned(),
            Self::Forbidden => "this token may not read the document; ask for the right doc-read".to_owned(),
        }
    }
}
