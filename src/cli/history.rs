//! `starling history`: what a channel keeps.

use std::io::Write;

use futures_util::Stream;
use futures_util::stream::StreamExt as _;
use starling_client::{Event, From, Outcome, Position, SubscribeOptions};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::Server;
use super::subscribe::{Reader, Reading};

/// Prints the messages a channel keeps, oldest first, and ends.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct History {
    /// Channel, such as demo:lobby
    channel: String,
    /// Only so many of the newest messages
    #[arg(long, value_name = "N", conflicts_with = "since")]
    last: Option<u32>,
    /// Only messages after this position
    #[arg(long, value_name = "EPOCH:SEQ")]
    since: Option<Position>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    server: Server,
}

impl History {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self {
            channel,
            last,
            since,
            reading,
            server,
        } = self;
        let after = since.as_ref().map_or(0, |position| position.seq);
        let from = since.map_or_else(|| From::Rewind(last.unwrap_or(u32::MAX)), From::Position);
        server.run(|client| async move {
            let options = SubscribeOptions {
                from,
                ..SubscribeOptions::default()
            };
            let events = client.subscribe(&*channel, options).await;
            let events = events.map_err(|error| Failure::Server(format!("{channel}: {error}")))?;
            read_to_head(&channel, after, events, &mut Reader::new(Output::stdout(), reading)).await
        })
    }
}

/// Prints events up to what was the newest message when the channel was attached.
async fn read_to_head<W: Write>(
    channel: &str,
    since: u64,
    mut events: impl Stream<Item = Event> + Unpin,
    reader: &mut Reader<W>,
) -> Result<Exit, Failure> {
    let mut end = End::default();
    while let Some(event) = events.next().await {
        // That it attached is of no interest here: the messages are.
        let is_shown = !matches!(event, Event::Attached { .. });
        if is_shown && let Some(exit) = reader.print(channel, &event, None)? {
            return Ok(exit);
        }
        if end.is_reached(&event, since) {
            return Ok(Exit::Done);
        }
    }
    Err(Failure::Server(format!(
        "{channel}: the subscription ended before its history did"
    )))
}

/// Where the history ended when the channel was attached.
#[derive(Default)]
struct End {
    head: u64,
    keyed: bool,
}

impl End {
    /// Whether everything has been shown once this event has. `since` is the seq the reader asked to start after.
    fn is_reached(&mut self, event: &Event, since: u64) -> bool {
        match event {
            Event::Attached {
                position,
                head,
                outcome,
                keyed,
                ..
            } => {
                *self = Self {
                    head: *head,
                    keyed: *keyed,
                };
                match outcome {
                    // It is an event of its own, and still to be shown.
                    Outcome::Discontinuity(_) => false,
                    // The state follows, unless nothing has changed or there is nothing.
                    Outcome::Resumed if *keyed => since >= self.head,
                    Outcome::Rewound(_) if *keyed => self.head == 0,
                    Outcome::Resumed | Outcome::Rewound(_) => position.seq >= self.head,
                }
            }
            Event::Message(message) => message.position.seq >= self.head,
            Event::KeyedState(state) => state.last,
            Event::Skipped { to, .. } => *to >= self.head,
            Event::Discontinuity { position, .. } => !self.keyed && position.seq >= self.head,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
