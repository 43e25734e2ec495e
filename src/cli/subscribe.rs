//! `starling sub`: the messages of channels as they come.

use std::io::Write;

use futures_util::Stream;
use futures_util::stream::{StreamExt as _, select_all};
use starling_client::{Event, From, Position, SubscribeOptions};

use super::exit::{Exit, Failure};
use super::note;
use super::output::Output;
use super::server::Server;
use super::shape::{self, To};

/// Prints the messages of channels as they come.
///
/// Each message is one line: its data, or with --json one object. Reconnects and the loss of nodes go unseen unless
/// messages were lost, which is said.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Subscribe {
    /// Channels, such as demo:lobby
    #[arg(required = true, value_name = "CHANNEL")]
    channels: Vec<String>,
    /// Start with up to so many of the newest messages
    #[arg(long, value_name = "N", conflicts_with = "since")]
    rewind: Option<u32>,
    /// Start after this position; with one channel only
    #[arg(long, value_name = "EPOCH:SEQ")]
    since: Option<Position>,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    server: Server,
}

/// How what is read is printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Reading {
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// End with exit code 4 when messages were lost
    #[arg(long)]
    pub(super) strict: bool,
}

impl Subscribe {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self {
            channels,
            rewind,
            since,
            count,
            reading,
            server,
        } = self;
        if since.is_some() && channels.len() > 1 {
            let reason = "--since is a position in one channel; name one, or start with --rewind";
            return Err(Failure::Usage(reason.to_owned()));
        }
        let from = match (since, rewind) {
            (Some(position), _) => From::Position(position),
            (None, Some(count)) => From::Rewind(count),
            (None, None) => From::Head,
        };
        if count == Some(0) {
            return Ok(Exit::Done);
        }
        server.run(|client| async move {
            let mut subscriptions = Vec::new();
            for channel in channels {
                let options = SubscribeOptions {
                    from: from.clone(),
                    ..SubscribeOptions::default()
                };
                let subscription = client.subscribe(&*channel, options).await;
                let subscription = subscription.map_err(|error| Failure::Server(format!("{channel}: {error}")))?;
                subscriptions.push(subscription.map(move |event| (channel.clone(), event)));
            }
            let mut reader = Reader::new(Output::stdout(), reading);
            read(select_all(subscriptions), count, &mut reader).await
        })
    }
}

/// Prints events until there are no more, or enough.
async fn read<W: Write>(
    mut events: impl Stream<Item = (String, Event)> + Unpin,
    count: Option<u64>,
    reader: &mut Reader<W>,
) -> Result<Exit, Failure> {
    while let Some((channel, event)) = events.next().await {
        if let Some(exit) = reader.print(&channel, &event, count)? {
            return Ok(exit);
        }
    }
    Err(Failure::Server("every subscription has ended".to_owned()))
}

/// Prints events, and knows when to stop.
pub(super) struct Reader<W> {
    output: Output<W>,
    reading: Reading,
    /// Messages printed.
    messages: u64,
}

impl<W: Write> Reader<W> {
    pub(super) const fn new(output: Output<W>, reading: Reading) -> Self {
        Self {
            output,
            reading,
            messages: 0,
        }
    }

    /// Prints an event. Gives the exit code if it is the last to print: the count is reached, or messages were lost
    /// and that is not to be passed over.
    pub(super) fn print(&mut self, channel: &str, event: &Event, count: Option<u64>) -> Result<Option<Exit>, Failure> {
        if let Event::Failed(error) = event {
            return Err(Failure::Server(format!("{channel}: {error}")));
        }
        for shown in shape::shown(channel, event, self.reading.json) {
            match shown.to {
                To::Message => {
                    self.output.line(&shown.line)?;
                    self.messages += 1;
                    if count == Some(self.messages) {
                        return Ok(Some(Exit::Done));
                    }
                }
                To::Notice if self.reading.json => self.output.line(&shown.line)?,
                To::Notice | To::Person => note(&String::from_utf8_lossy(&shown.line)),
            }
        }
        let lost = matches!(event, Event::Discontinuity { .. });
        Ok((lost && self.reading.strict).then_some(Exit::Lost))
    }
}

#[cfg(test)]
mod tests;
