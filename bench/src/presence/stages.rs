//! The stages of a measurement, in order, on the thread of the load.

use std::thread;
use std::time::{Duration, Instant};

use super::phase::{Before, Phase};
use super::{Event, Options};
use crate::Error;
use crate::load::{Act, Beside, Clock, Crowd, Seen, Target, Turns, Watched};
use crate::proc::core::Cores;

/// How fast a crowd enters and begins to watch, in acts a second: some fewer than would keep the nodes' core busy, for
/// whoever enters while others watch is told to them.
const ARRIVALS: u32 = 1_000;

/// Longest wait until everybody believes what is true. Well above any bound that presence promises.
const SETTLED: Duration = Duration::from_secs(30);

/// How often that is looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// Rest before each phase, in which what the stage before it has left is done: connections that are told by gossip, memory
/// that is given back.
const REST: Duration = Duration::from_secs(3);

/// Publishing before the first phase: channels are opened, and what is slow once is over.
const WARM_UP: Duration = Duration::from_secs(2);

/// What the stages work with.
pub(super) struct Plan {
    pub(super) nodes: Vec<Target>,
    pub(super) channel: String,
    pub(super) watched: Watched,
    pub(super) options: Options,
    pub(super) cores: Cores,
}

/// What came of them.
pub(super) struct Outcome {
    /// Nobody in the channel, a tenth, everybody, and coming and going.
    pub(super) phases: Vec<Phase>,
    /// Clients that joined while they came and went; as many left.
    pub(super) joins: u64,
    /// What watchers were told meanwhile.
    pub(super) seen: Seen,
    /// What makes it void, one text for each.
    pub(super) faults: Vec<String>,
}

/// Everything that is open while stages run.
struct Stage<'a> {
    plan: &'a Plan,
    crowd: Crowd,
    beside: Beside,
    faults: Vec<String>,
    tell: &'a dyn Fn(Event),
}

/// Runs them all.
pub(super) fn run(plan: &Plan, tell: &dyn Fn(Event)) -> Result<Outcome, Error> {
    let Plan { nodes, options, .. } = plan;
    let parts = options.parts();
    let clock = Clock::start();
    let note = |text: &str| tell(Event::Note(text.to_owned()));
    note("opening connections");
    let mut stage = Stage {
        plan,
        crowd: Crowd::open(nodes, &plan.channel, parts.sessions(), clock)?,
        beside: Beside::open(nodes, options.publishers, parts.sessions(), clock)?,
        faults: Vec::new(),
        tell,
    };
    stage.beside.publish(options.rate, WARM_UP)?;
    let mut phases = vec![stage.measure(0, 0, Vec::new())?];

    let tenth = (parts.entries / 10).max(1);
    note("a tenth enters");
    stage.order(parts.enter(0, tenth))?;
    phases.push(stage.measure(tenth, 0, Vec::new())?);

    note("everybody enters, and watches");
    stage.order(parts.enter(tenth, parts.entries))?;
    stage.order(parts.watch())?;
    stage.settle(parts.entries, "when all had entered")?;
    phases.push(stage.measure(parts.entries, 0, Vec::new())?);

    let pairs = (options.duration.as_secs_f64() * f64::from(options.churn) / 2.0).round() as usize;
    let acts = Turns::new(parts).take(pairs);
    phases.push(stage.measure(parts.entries, options.churn, acts)?);
    stage.crowd.wait()?;
    let seen = stage.settle(parts.entries, "after all had come and gone")?;
    Ok(Outcome {
        phases,
        joins: pairs as u64,
        seen,
        faults: stage.faults,
    })
}

impl Stage<'_> {
    /// Has acts done.
    fn order(&mut self, acts: Vec<Act>) -> Result<(), Error> {
        self.crowd.begin(acts, ARRIVALS)?;
        self.crowd.wait().map(drop)
    }

    /// Waits until every session has its answers and believes that so many are there; what was seen meanwhile.
    fn settle(&mut self, members: usize, when: &str) -> Result<Seen, Error> {
        let deadline = Instant::now() + SETTLED;
        let mut seen = Seen::default();
        loop {
            seen.add(self.crowd.look(members)?);
            if seen.astray == 0 && seen.unanswered == 0 {
                break;
            }
            if seen.fault.is_some() || Instant::now() >= deadline {
                self.faults.push(format!(
                    "{when}, {} sessions did not believe that {members} are there and {} requests had no answer",
                    seen.astray, seen.unanswered
                ));
                break;
            }
            thread::sleep(GLANCE);
        }
        self.faults.extend(seen.fault.take());
        Ok(seen)
    }

    /// Measures a phase in which these acts are begun, so many a second.
    fn measure(&mut self, members: usize, churn: u32, acts: Vec<Act>) -> Result<Phase, Error> {
        let Plan {
            watched,
            options,
            cores,
            ..
        } = self.plan;
        thread::sleep(REST);
        let before = Before::take(watched, *cores)?;
        if churn > 0 {
            self.crowd.begin(acts, churn)?;
        }
        let published = self.beside.publish(options.rate, options.duration)?;
        let phase = before.end(watched, *cores, members, churn, &published)?;
        (self.tell)(Event::Phase(phase.clone()));
        Ok(phase)
    }
}
