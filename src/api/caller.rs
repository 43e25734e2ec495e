//! Who sends a request, and what it may do. The one place where a request becomes a [`Grant`].

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use starling_core::access::{Grant, Operation};
use starling_core::channel::{Limit, Refusal};
use starling_core::id::ChannelName;

use super::error::ApiError;
use super::{Peer, Site, text};
use crate::auth::Denied;
use crate::quotas::Party;

/// Whoever sends a request.
pub(super) struct Caller {
    /// What it may do.
    pub(super) grant: Arc<Grant>,
    /// Whose requests its own are counted with.
    pub(super) party: Party,
}

impl Caller {
    /// Checks what the request presents: `Authorization: Bearer` and an API key or a token, or nothing.
    ///
    /// # Errors
    /// It is not let in.
    pub(super) fn of(site: &Site, peer: &Peer, headers: &HeaderMap) -> Result<Self, ApiError> {
        let services = site.registry.services();
        let credentials = bearer(headers)?;
        let (mut party, now) = (peer.party(), services.clock.now());
        let check = || services.auth.admit_request(credentials, now.wall);
        let grant = services.quotas.admit(&party, now.instant, check).map_err(|denied| {
            services.metrics.unauthorized(denied.name());
            match denied {
                Denied::TooOften { retry_after } => {
                    let limit = Limit::AuthFailureRate;
                    Refusal::RateLimited { limit, retry_after }.into()
                }
                denied => ApiError::unauthorized(denied.to_string()),
            }
        })?;
        party.identify(&grant);
        Ok(Self { grant, party })
    }

    /// Whether it may do this with a channel that can be used here. `action` says in words what it wants.
    ///
    /// # Errors
    /// No capability covers it, or the namespace is unknown.
    pub(super) fn may(
        &self,
        site: &Site,
        channel: &ChannelName,
        operation: Operation,
        action: &'static str,
    ) -> Result<(), Refusal> {
        if !self.grant.allows(channel, operation) {
            let channel = channel.clone();
            return Err(Refusal::Forbidden { action, channel });
        }
        match site.registry.services().settings.namespaces.of(channel) {
            Some(_) => Ok(()),
            None => Err(Refusal::UnknownNamespace(channel.clone())),
        }
    }

    /// Whether it may do this with a document. `action` says in words what it wants.
    ///
    /// # Errors
    /// No capability covers it.
    pub(super) fn may_document(
        &self,
        site: &Site,
        document: &ChannelName,
        operation: Operation,
        action: &'static str,
    ) -> Result<(), Refusal> {
        if self.grant.allows(document, operation) {
            return Ok(());
        }
        site.registry.services().metrics.unauthorized("document");
        let channel = document.clone();
        Err(Refusal::Forbidden { action, channel })
    }

    /// Whether it may make one more request that publishes nothing.
    ///
    /// # Errors
    /// Not before the time told.
    pub(super) fn takes_request(&self, site: &Site) -> Result<(), Refusal> {
        let services = site.registry.services();
        services.quotas.request(&self.party, services.clock.now().instant)
    }

    /// Whether it may use a channel: one that is in use, or one more that is not.
    ///
    /// # Errors
    /// Not before the time told.
    pub(super) fn takes_channel(&self, site: &Site, channel: &ChannelName) -> Result<(), Refusal> {
        let services = site.registry.services();
        if site.registry.running(channel).is_some() {
            return Ok(());
        }
        services.quotas.open(&self.party, services.clock.now().instant)
    }

    /// Whether it may use a document: one that is in use here, or one more that is not.
    ///
    /// # Errors
    /// Not before the time told.
    pub(super) fn takes_document(&self, site: &Site, document: &ChannelName) -> Result<(), Refusal> {
        let services = site.registry.services();
        match site.registry.is_edited(document) {
            true => Ok(()),
            false => services.quotas.open(&self.party, services.clock.now().instant),
        }
    }
}

/// What stands behind `Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let parts = text(headers, &header::AUTHORIZATION).and_then(|value| value.trim().split_once(' '));
    match parts {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(credentials.trim())),
        _ => Err(ApiError::unauthorized(
            "the Authorization header is not \"Bearer\" and an API key or a token",
        )),
    }
}
