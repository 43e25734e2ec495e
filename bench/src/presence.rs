//! `bench presence`: what a crowd in one channel does to those who publish in others, and to gossip.
//!
//! ```text
//! run         three nodes on one core, the load on another
//!  ├─ stages     opens all connections, and then measures: nobody in the channel, a tenth, everybody, and coming and going
//!  ├─ phase      what is read before and after each
//!  ├─ verdict    what is asked of the phases
//!  └─ report     the result, as JSON and as a table
//! ```
//!
//! All connections are open from the beginning, so that phases differ by presence alone. A connection has one entry in a channel,
//! so there is one for each entry.

mod phase;
mod report;
mod stages;
mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::phase::Phase;
pub use self::report::Report;
use self::stages::Plan;
use crate::load::Parts;
use crate::proc::core::Cores;
use crate::proc::descriptors;
use crate::proc::host::Machine;
use crate::server::{Kind, Server};
use crate::{Error, Transport};

/// Entries, and those outside with them: a namespace tells no roster of more unless it says so, and a node of `starling dev`
/// takes no more connections.
const SESSIONS_MAX: usize = 20_000;

/// Acts a second that one core of load is good for.
const CHURN_MAX: u32 = 10_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Clients that are in the channel at any time, each with a connection of its own.
    pub entries: usize,
    /// Of these, those that watch who is there.
    pub watchers: usize,
    /// Of all others, those that watch how many there are.
    pub counting: usize,
    /// Joins and leaves a second, half of them each.
    pub churn: u32,
    /// Publishers in other channels, spread evenly over the nodes.
    pub publishers: usize,
    /// Messages a second of each.
    pub rate: u32,
    /// How long each phase counts.
    pub duration: Duration,
    /// The `starling` binary.
    pub program: PathBuf,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::Options(reason));
        if self.watchers == 0 || self.publishers == 0 || self.rate == 0 {
            return refuse("watchers, publishers and rate must be at least 1".into());
        }
        if self.entries <= self.watchers {
            return refuse("entries must be more than watchers, who stay: others come and go".into());
        }
        if !(2..=CHURN_MAX).contains(&self.churn) {
            return refuse(format!(
                "churn must be 2 to {CHURN_MAX} joins and leaves a second, half of them each"
            ));
        }
        if self.duration < Duration::from_secs(1) {
            return refuse("a phase of less than a second measures the clock: ask for 1s or more".into());
        }
        let sessions = self.parts().sessions();
        if self.watchers + self.counting > sessions {
            return refuse(format!(
                "there are {sessions} connections, too few for {} watchers and {} that count",
                self.watchers, self.counting
            ));
        }
        if sessions > SESSIONS_MAX {
            return refuse(format!(
                "{sessions} connections are more than the {SESSIONS_MAX} clients whose roster a channel tells: ask for \
                 fewer entries, or less churn, which keeps as many outside"
            ));
        }
        descriptors::raise((sessions + self.publishers) as u64)
    }

    /// As many are outside as come and go in a second: each stays away for two, longer than what is told together.
    fn parts(&self) -> Parts {
        Parts {
            entries: self.entries,
            watchers: self.watchers,
            counting: self.counting,
            outside: self.churn as usize,
        }
    }
}

/// What happens while a measurement runs.
#[derive(Debug)]
pub enum Event {
    /// A phase is over.
    Phase(Phase),
    /// Something to know that is no result.
    Note(String),
}

/// Events that wait for whoever watches. The load waits beyond it; there are a dozen in all.
const EVENTS_MAX: usize = 32;

/// Measures, and tells what happens on the way.
///
/// Dropping the future kills the nodes. The load notices within seconds, on threads of its own.
///
/// # Errors
///
/// When there is nothing to report: options that contradict the machine, a node that does not start. Goals that are not met are a
/// report, and so is a measurement that cannot be trusted, with `valid` false.
pub async fn run(options: &Options, mut observe: impl FnMut(Event)) -> Result<Report, Error> {
    options.check()?;
    let cores = Cores::choose()?;
    let server = Server::start(Kind::Cluster, Transport::WebSocket, &options.program, cores.server).await?;
    let plan = Plan {
        nodes: server.nodes.clone(),
        channel: server.course.channel.clone(),
        watched: server.watched(),
        options: options.clone(),
        cores,
    };
    let (events, mut told) = mpsc::channel(EVENTS_MAX);
    let tell = move |event| {
        // Nobody watches a measurement that was given up.
        let _ = events.blocking_send(event);
    };
    let staged = cores.on_load(move || stages::run(&plan, &tell));
    let observed = async {
        while let Some(event) = told.recv().await {
            observe(event);
        }
    };
    let (staged, ()) = tokio::join!(staged, observed);
    let mut outcome = staged?;
    outcome.faults.extend(server.fault().await);
    Ok(Report::new(options, outcome, Machine::describe(cores.count())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            entries: 20,
            watchers: 2,
            counting: 22,
            churn: 4,
            publishers: 3,
            rate: 10,
            duration: Duration::from_secs(1),
            program: PathBuf::from("/no/such/program"),
        }
    }

    #[test]
    fn options_that_cannot_be_are_refused_with_the_reason() {
        options().check().expect("a small crowd fits anywhere");
        type Spoil = fn(&mut Options);
        let cases: [(&str, Spoil); 7] = [
            ("must be at least 1", |options| options.watchers = 0),
            ("must be at least 1", |options| options.publishers = 0),
            ("more than watchers", |options| options.entries = 2),
            ("too few for 2 watchers", |options| options.counting = 23),
            ("joins and leaves a second", |options| options.churn = 1),
            ("ask for 1s", |options| options.duration = Duration::from_millis(999)),
            ("20004 connections", |options| options.entries = 20_000),
        ];
        for (why, spoil) in cases {
            let mut options = options();
            spoil(&mut options);
            let refused = options.check().map_err(|error| error.to_string());
            assert!(
                refused.as_ref().is_err_and(|error| error.contains(why)),
                "{why}: {refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn nodes_that_do_not_start_end_the_measurement() {
        let measured = run(&options(), |event| panic!("{event:?}")).await;
        let error = measured.map(drop).expect_err("there is no such program");
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
