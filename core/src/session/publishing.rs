//! What a session publishes.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::answer::Answer;
use super::pace::Pace;
use super::request::{Publish, RequestId, Skip};
use super::turn::Effect;
use crate::access::Operation;
use crate::channel::{self, Limit, Refusal};
use crate::id::{Author, ChannelName, Serial};
use crate::namespace::Namespace;
use crate::rate::{self, Rate};
use crate::time::Now;

/// What a session needs that publishes.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    pub(super) pace: Pace,
    rate: Rate,
    byte_rate: Rate,
}

impl Session {
    pub(super) fn publish(&mut self, publish: Publish, now: Now, out: &mut Vec<Effect>) {
        let refusal = match self.writable(&publish.channel) {
            Ok((author, namespace)) => {
                if publish.payload.len() > namespace.channel.payload_bytes_max {
                    Refusal::PayloadTooLarge {
                        bytes: publish.payload.len(),
                        bytes_max: namespace.channel.payload_bytes_max,
                    }
                } else if let Err(refusal) = self.pace(publish.payload.len(), &namespace, now.instant) {
                    refusal
                } else {
                    self.in_flight += 1;
                    self.publishing.get_or_insert_default().pace.published(now.instant);
                    return out.push(Effect::Publish { author, publish });
                }
            }
            Err(refusal) => refusal,
        };
        let request = publish.request;
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    /// Whether it comes slowly enough, counted in publishes and in bytes. What is refused uses up neither.
    fn pace(&mut self, bytes: usize, namespace: &Namespace, now: Instant) -> Result<(), Refusal> {
        let limited = |limit| move |retry_after| Refusal::RateLimited { limit, retry_after };
        let Publishing { rate, byte_rate, .. } = &mut **self.publishing.get_or_insert_default();
        if namespace.publish_bytes.is_some() {
            byte_rate.look(now).map_err(limited(Limit::PublishBytes))?;
        }
        rate.take(namespace.publish_interval, now)
            .map_err(limited(Limit::PublishRate))?;
        if let Some(per_second) = namespace.publish_bytes {
            byte_rate.spend(rate::cost(bytes as u64, per_second), now);
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, skip: Skip, out: &mut Vec<Effect>) {
        match self.writable(&skip.channel) {
            Ok((author, _)) => {
                self.in_flight += 1;
                out.push(Effect::Skip { author, skip });
            }
            Err(refusal) => out.push(Effect::Send(Answer::Refused {
                request: skip.request,
                refusal,
            })),
        }
    }

    /// What publishes and skips need alike: a namespace, the right, and room among the unanswered.
    fn writable(&self, channel: &ChannelName) -> Result<(Author, Arc<Namespace>), Refusal> {
        let namespace = self
            .settings
            .namespaces
            .of(channel)
            .ok_or_else(|| Refusal::UnknownNamespace(channel.clone()))?;
        let grant = self
            .grant
            .as_ref()
            .filter(|grant| grant.allows(channel, Operation::Publish))
            .ok_or_else(|| Refusal::Forbidden {
                action: "publish to",
                channel: channel.clone(),
            })?;
        if self.in_flight >= self.settings.publishes_in_flight_max {
            return Err(Refusal::TooManyInFlight {
                max: usize::from(self.settings.publishes_in_flight_max),
            });
        }
        let author = Author {
            subject: grant.subject.clone(),
            publisher: self.publisher,
        };
        Ok((author, Arc::clone(namespace)))
    }

    /// The owner answered.
    pub(super) fn acknowledged(
        &mut self,
        request: RequestId,
        serial: Serial,
        ack: channel::Ack,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(publishing) = &mut self.publishing {
            publishing.pace.acknowledged(now.instant);
        }
        out.push(Effect::Send(Answer::Ack {
            request,
            serial,
            ack,
            time: now.wall,
        }));
    }

    /// The owner refused.
    pub(super) fn publish_refused(&mut self, request: RequestId, refusal: Refusal, out: &mut Vec<Effect>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }
}
