//! A reader of one channel that checks every frame against the one rule of the protocol: each message is the one after
//! the last, unless the server said before that it would not be.

use bytes::Bytes;
use starling_protocol::frame::encode_server;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, Policy, Reason, SkipReason, attach};

use super::raw::{Heard, Raw, attach_to};

/// A session that is attached to one channel.
pub(crate) struct Reader {
    /// The session.
    pub(crate) raw: Raw,
    /// How it was attached.
    pub(crate) attached: v1::Attached,
    /// The last message it has, or was told it would not get.
    pub(crate) last: u64,
    /// The history `last` counts in.
    pub(crate) epoch: String,
    /// Whether it grants credit for each page again.
    pub(crate) grants: bool,
    /// What the last page cost.
    pub(crate) page_bytes: u64,
}

/// What a reader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// One message as it happened, or several from history; each with its seq.
    Messages { entries: Vec<(u64, Bytes)>, is_page: bool },
    /// So many were left out up to `last`.
    Skipped { count: u64, reason: SkipReason },
    /// It is too slow and has to pull.
    Lagged,
    /// Messages are lost; `last` is where it goes on.
    Discontinuity(Reason),
    /// The session ends with this code.
    Goodbye(u32),
}

impl Reader {
    /// Attaches a session to a channel.
    pub(crate) async fn attach(raw: Raw, channel: &str, from: Option<attach::From>, policy: Policy) -> Self {
        Self::try_attach(raw, channel, from, policy)
            .await
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The same, where it may be refused.
    pub(crate) async fn try_attach(
        mut raw: Raw,
        channel: &str,
        from: Option<attach::From>,
        policy: Policy,
    ) -> Result<Self, v1::Error> {
        let attach = v1::Attach {
            policy: policy.into(),
            ..attach_to(1, channel, from)
        };
        raw.send(attach).await;
        let attached = match raw.answer(1).await {
            Body::Attached(attached) => attached,
            Body::Error(error) => return Err(error),
            other => panic!("{other:?} instead of attached"),
        };
        assert_eq!(attached.channel, channel);
        let position = attached.position.clone().expect("attached has a position");
        assert!(position.seq <= attached.head, "{attached:?}");
        Ok(Self {
            raw,
            last: position.seq,
            epoch: position.epoch,
            attached,
            grants: true,
            page_bytes: 0,
        })
    }

    /// What it is told next, checked. Pings are answered on the way.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            let heard = self.raw.next().await;
            if let Some(told) = self.take(heard).await {
                return told;
            }
        }
    }

    /// Works on what was heard: `None` if it was no news of the channel.
    pub(crate) async fn take(&mut self, heard: Heard) -> Option<Told> {
        let frame = match heard {
            Heard::Frame(frame) => frame,
            Heard::Closed(code) => panic!("the server hung up without a goodbye ({code:?})"),
        };
        let channel_id = self.attached.channel_id;
        Some(match frame {
            Body::Ping(ping) => {
                // A server that is hanging up takes no answer.
                let _ = self
                    .raw
                    .try_send(v1::Pong {
                        nonce: ping.nonce,
                        time_ms: 0,
                    })
                    .await;
                return None;
            }
            Body::Pong(_) => return None,
            Body::Publication(message) if message.channel_id == channel_id => {
                assert_eq!(message.seq, self.last + 1, "a message follows the last");
                self.last = message.seq;
                Told::Messages {
                    entries: vec![(message.seq, message.payload)],
                    is_page: false,
                }
            }
            Body::Page(page) if page.channel_id == channel_id => self.page(page).await,
            Body::Skipped(skipped) if skipped.channel_id == channel_id => {
                assert_eq!(skipped.to - self.last, skipped.count, "the count is exact");
                self.last = skipped.to;
                Told::Skipped {
                    count: skipped.count,
                    reason: skipped.reason(),
                }
            }
            Body::Lagged(lagged) if lagged.channel_id == channel_id => {
                assert_eq!(lagged.seq, self.last, "nothing is on its way any more");
                Told::Lagged
            }
            Body::Discontinuity(lost) if lost.channel_id == channel_id => {
                let reason = lost.reason();
                let position = lost.position.expect("a discontinuity has a position");
                (self.last, self.epoch) = (position.seq, position.epoch);
                Told::Discontinuity(reason)
            }
            Body::Goodbye(goodbye) => Told::Goodbye(goodbye.code),
            other => panic!("{other:?} is not for a reader of channel {channel_id}"),
        })
    }

    async fn page(&mut self, page: v1::Page) -> Told {
        assert_eq!(page.after, self.last, "a page follows the last");
        assert!(!page.entries.is_empty(), "a page has messages");
        for entry in &page.entries {
            assert_eq!(entry.seq, self.last + 1, "a page has no gaps");
            self.last = entry.seq;
        }
        let bytes = encode_server(page.clone()).body_bytes();
        self.page_bytes = bytes as u64;
        if self.grants {
            self.raw.send(v1::Credit { bytes: bytes as u32 }).await;
        }
        let entries = page
            .entries
            .into_iter()
            .map(|entry| (entry.seq, entry.payload))
            .collect();
        Told::Messages { entries, is_page: true }
    }

    /// Asks for what follows the last.
    pub(crate) async fn pull(&mut self) {
        let pull = v1::Pull {
            channel_id: self.attached.channel_id,
            seq: self.last,
        };
        self.raw.send(pull).await;
    }

    /// Reads messages, and nothing else, up to `seq`; gives their payloads.
    pub(crate) async fn read_to(&mut self, seq: u64) -> Vec<Bytes> {
        let mut payloads = Vec::new();
        while self.last < seq {
            match self.next().await {
                Told::Messages { entries, .. } => payloads.extend(entries.into_iter().map(|(_, payload)| payload)),
                other => panic!("{other:?} before message {seq}"),
            }
        }
        payloads
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> v1::Position {
        v1::Position {
            epoch: self.epoch.clone(),
            seq: self.last,
            term: 0,
        }
    }
}
