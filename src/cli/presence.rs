//! `starling presence`: who is in a channel.

use std::io::Write;

use futures_util::Stream;
use futures_util::stream::StreamExt as _;
use starling_client::{PresenceEvent, WatchOptions};

use super::exit::{Exit, Failure};
use super::note;
use super::output::Output;
use super::server::Server;
use super::shape::To;
use super::shape::presence::{self as shape, Reading};

/// Prints who is in a channel, and ends.
///
/// Each client is one line: its member or "-", its id, the node it is attached to, and what it says of itself, parted by tabs;
/// with --json one object. Where a namespace tells no names, it is how many.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Presence {
    /// Channel, such as demo:lobby
    channel: String,
    /// Go on with what changes: each line begins with what happened
    #[arg(long)]
    watch: bool,
    /// Print how many are there instead of who
    #[arg(long)]
    count: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Presence {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self {
            channel,
            watch,
            count,
            json,
            server,
        } = self;
        let reading = Reading { watch, json };
        let options = WatchOptions {
            count,
            ..WatchOptions::default()
        };
        server.run(|client| async move {
            let events = client.watch(&*channel, options).await;
            let events = events.map_err(|error| Failure::Server(format!("{channel}: {error}")))?;
            read(&channel, events, reading, &mut Output::stdout()).await
        })
    }
}

/// Prints events: those that say who is there, and if that is asked for, what follows.
async fn read<W: Write>(
    channel: &str,
    mut events: impl Stream<Item = PresenceEvent> + Unpin,
    reading: Reading,
    output: &mut Output<W>,
) -> Result<Exit, Failure> {
    while let Some(event) = events.next().await {
        if let PresenceEvent::Failed(error) = event {
            return Err(Failure::Server(format!("{channel}: {error}")));
        }
        for shown in shape::shown(channel, &event, reading) {
            match shown.to {
                To::Person => note(&String::from_utf8_lossy(&shown.line)),
                To::Message | To::Notice => output.line(&shown.line)?,
            }
        }
        let is_whole = matches!(event, PresenceEvent::Roster(_) | PresenceEvent::Occupancy(_));
        if is_whole && !reading.watch {
            return Ok(Exit::Done);
        }
    }
    Err(Failure::Server(format!("{channel}: the watch has ended")))
}

#[cfg(test)]
mod tests;
