//! `starling pub`: one message, or each line of standard input in order.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use starling_client::{CloseReason, PublishError, PublishOptions, Published};
use starling_protocol::limits::{PAYLOAD_BYTES_MAX, PUBLISHES_IN_FLIGHT_DEFAULT};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::parse_duration;

use super::exit::{Exit, Failure};
use super::lines::{self, Line};
use super::output::Output;
use super::server::Server;
use super::{note, shape};

/// Publishes a message, or each line of standard input.
///
/// Messages are published in order and once, over reconnects and the loss of nodes. What the server has not
/// acknowledged within the time limit is given up for certain: it will not appear later.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Publish {
    /// Channel, such as demo:lobby
    channel: String,
    /// Message; "-" publishes each line of standard input, without its line feed
    #[arg(required_unless_present = "delete", conflicts_with = "delete")]
    data: Option<String>,
    /// Key of the message, on a keyed channel
    #[arg(long)]
    key: Option<String>,
    /// Removes the key instead of giving it a value
    #[arg(long, requires = "key")]
    delete: bool,
    /// Lines published a second at most; as fast as they are acknowledged without it
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// How long to try before a message is given up
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    /// Print one JSON object for each message instead of its position
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Publish {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self {
            channel,
            data,
            key,
            delete,
            rate,
            timeout,
            json,
            server,
        } = self;
        server.run(|client| async move {
            let from = match data {
                Some(data) if data == "-" => lines::stdin(),
                data => one(data.unwrap_or_default()),
            };
            let options = PublishOptions {
                key,
                delete,
                timeout,
                ..PublishOptions::new(&*channel, Bytes::new())
            };
            let send = async |payload| {
                client
                    .enqueue_with(PublishOptions {
                        payload,
                        ..options.clone()
                    })
                    .await
            };
            let mut output = Output::stdout();
            let tell = |line: u64, outcome: &Result<Published, PublishError>| match outcome {
                Ok(published) => output.line(&shape::acknowledged(&channel, published, json)),
                Err(error) if json => output.line(&shape::unacknowledged(&channel, line, error)),
                Err(error) => {
                    note(&format!("message {line} to {channel}: {error}"));
                    Ok(())
                }
            };
            publish(from, rate, send, tell).await
        })
    }
}

/// Publishes every line, up to 64 of them on their way at once, and tells the outcomes in the order of the lines.
async fn publish<P>(
    mut lines: mpsc::Receiver<io::Result<Line>>,
    rate: Option<NonZeroU32>,
    mut send: impl AsyncFnMut(Bytes) -> Result<P, PublishError>,
    mut tell: impl FnMut(u64, &Result<Published, PublishError>) -> Result<(), Failure>,
) -> Result<Exit, Failure>
where
    P: Future<Output = Result<Published, PublishError>>,
{
    let mut pace = Pace::new(rate);
    // A line that was read and waits for its turn.
    let mut held = None;
    let mut reading = true;
    let mut on_their_way = FuturesOrdered::new();
    let mut numbers = VecDeque::new();
    let mut read = 0;
    let mut unacknowledged = false;
    let mut closed: Option<CloseReason> = None;
    loop {
        tokio::select! {
            line = lines.recv(), if reading && held.is_none() => match line.transpose() {
                Ok(Some(line)) => held = Some(line),
                Ok(None) => reading = false,
                Err(cause) => return Err(Failure::Io { what: "standard input cannot be read", cause }),
            },
            () = pace.due(), if held.is_some() && on_their_way.len() < IN_FLIGHT_MAX => {
                read += 1;
                numbers.push_back(read);
                let sent = match held.take() {
                    Some(Line::Data(payload)) => send(payload).await,
                    Some(Line::TooLong) | None => Err(PublishError::TooLarge { bytes: PAYLOAD_BYTES_MAX + 1, max: PAYLOAD_BYTES_MAX }),
                };
                on_their_way.push_back(match sent {
                    Ok(pending) => Either::Left(pending),
                    Err(refused) => Either::Right(ready(Err(refused))),
                });
            }
            Some(outcome) = on_their_way.next(), if !on_their_way.is_empty() => {
                tell(numbers.pop_front().unwrap_or(read), &outcome)?;
                if let Err(error) = outcome {
                    unacknowledged = true;
                    if let PublishError::Closed { reason, .. } = error {
                        // The client will not connect again: what is still to be read cannot be published.
                        closed = Some(reason);
                        (reading, held) = (false, None);
                    }
                }
            }
            else => break,
        }
    }
    match closed {
        Some(reason) => Err(Failure::Server(reason.to_string())),
        None if unacknowledged => Ok(Exit::Unacknowledged),
        None => Ok(Exit::Done),
    }
}

/// Messages sent and not yet answered: as many as a session may have.
const IN_FLIGHT_MAX: usize = PUBLISHES_IN_FLIGHT_DEFAULT as usize;

/// The message of the command line, as the only line.
fn one(data: String) -> mpsc::Receiver<io::Result<Line>> {
    let (sender, lines) = mpsc::channel(1);
    // There is room for one, and the other end is held here.
    let _sent = sender.try_send(Ok(Line::Data(data.into())));
    lines
}

/// When the next message may go.
struct Pace(Option<Interval>);

impl Pace {
    fn new(rate: Option<NonZeroU32>) -> Self {
        Self(rate.map(|rate| {
            let mut ticks = interval(Duration::from_secs(1) / rate.get());
            // A pause is not made up for: the rate holds after an outage too.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    async fn due(&mut self) {
        if let Some(ticks) = &mut self.0 {
            ticks.tick().await;
        }
    }
}

#[cfg(test)]
mod tests;
