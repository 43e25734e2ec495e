//! The end of a run: what each node tells of each channel.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;
use crate::history::{Event, Recorder};
use crate::http::Api;
use crate::load::{Load, channels};
use crate::setup::{CLIENT_PORT, NodeSetup, Setup};

use super::trouble;

/// How long readers may take in the end to come to where their channels end.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(20);

/// How long a node may take to tell the histories of all channels, and one of them; between two attempts.
const READ_WITHIN: Duration = Duration::from_secs(20);
const ASK_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// Reads every channel's history from every node; readers have the time until then to catch up.
pub(super) async fn read(setup: &Setup, load: &Load, recorder: &Recorder) -> Result<(), Error> {
    let api = Api::new(setup.authority.clone(), &setup.token)?;
    let mut histories = Vec::new();
    for node in &setup.nodes {
        let deadline = Instant::now() + READ_WITHIN;
        for channel in channels() {
            match history(&api, node, &channel, deadline).await {
                Ok(history) => histories.push(history),
                // One that is not told is enough of a finding.
                Err(error) => {
                    recorder.note(trouble(&error));
                    break;
                }
            }
        }
    }
    let end = |history: &Event| match history {
        Event::History {
            channel, epoch, head, ..
        } => Some((channel.clone(), epoch.clone(), *head)),
        _ => None,
    };
    // All nodes should tell the same; whether they do is for the checkers.
    let ends: Vec<_> = histories.iter().filter_map(end).take(channels().len()).collect();
    load.caught_up(&ends, CATCH_UP_WITHIN).await;
    recorder.note(Event::Quiet);
    for history in histories {
        recorder.note(history);
    }
    Ok(())
}

/// A channel's history from a node, which may answer late but not later than that.
async fn history(api: &Api, node: &NodeSetup, channel: &str, deadline: Instant) -> Result<Event, Error> {
    let address = SocketAddr::from((node.address, CLIENT_PORT));
    loop {
        let asked = timeout(ASK_WITHIN, api.history(&node.name, address, channel)).await;
        let refused = match asked {
            Ok(Ok(history)) => return Ok(history),
            Ok(Err(error)) => error.to_string(),
            Err(_late) => format!("no answer within {ASK_WITHIN:?}"),
        };
        if Instant::now() >= deadline {
            return Err(Error::Http {
                what: format!("the history of {channel}"),
                said: format!("node {}: {refused}", &node.name),
            });
        }
        sleep(PAUSE).await;
    }
}
