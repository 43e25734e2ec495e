//! Presence under faults: a crowd in one channel, watched from every node.
//!
//! Thousands of clients are in one channel, spread over nodes and over both transports. Some come and some say goodbye all
//! the time. With each fault some of the clients of the node that it hits end without a word; the others find another
//! node by themselves. A watcher at each node notes who it is told has come and gone.
//!
//! | file | holds |
//! | --- | --- |
//! | `members.rs` | the clients: who is there in truth, since when, and who was away for how long |
//! | `watchers.rs` | what each watcher is told |
//! | `verdict.rs` | the two compared |

mod members;
mod verdict;
mod watchers;

use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::Error;
use crate::lag::Lag;
use crate::run::{Plan, Stage};
use crate::scenario::{DOWN, Fault, HELD};

use members::Members;
use watchers::Watchers;

pub(crate) use verdict::Verdict;

/// The channel.
const CHANNEL: &str = "chaos:crowd";

/// Clients of the node that is hit, which end with it and do not return.
const QUITTERS: usize = 60;

/// How long clients come and go undisturbed before each fault, and after the last.
const CHURN: Duration = Duration::from_secs(6);

/// Between one client that says goodbye and another that comes in its place.
const PACE: Duration = Duration::from_millis(50);

/// When who is shown is compared with who is there: so long after a fault began.
const JUDGED_AFTER: Duration = Duration::from_secs(15);

/// Makes the run, and says what came of it.
pub(crate) async fn play(stage: &mut Stage<'_>, plan: &Plan) -> Result<Verdict, Error> {
    for node in &mut stage.nodes {
        node.start()?;
    }
    for node in &mut stage.nodes {
        node.ready().await?;
    }
    let lag = Lag::watch();
    let mut rng = Rng::with_seed(plan.seed);
    let mut watchers = Watchers::start(&stage.setup, plan.members).await?;
    let mut members = Members::gather(&stage.setup, plan.members).await?;
    watchers.all_shown(&members.there(), &stage.setup).await?;
    watchers.begin();
    eprintln!("chaos: {} clients are there, and shown at every node", plan.members);
    let mut verdict = Verdict::new(plan);
    for number in 0..plan.faults {
        churn(&mut members, &stage.setup, &mut rng).await?;
        let fault = plan.scenario.fault(number, stage.nodes.len(), None, &mut rng);
        let hit = fault.nodes().to_vec();
        let names: Vec<_> = hit.iter().map(|node| stage.nodes[*node].name().to_owned()).collect();
        eprintln!("chaos: {} of {}: {} {fault}", number + 1, plan.faults, names.join(", "));
        let began = Instant::now();
        strike(stage, &mut members, &fault, &names).await?;
        stage.all_ready().await?;
        sleep_until(began + JUDGED_AFTER).await;
        members.settle();
        verdict.compare(&watchers.shown(), &members.there(), &members.truth());
        verdict.fault_made();
    }
    churn(&mut members, &stage.setup, &mut rng).await?;
    // What was said last is told by now.
    sleep(Duration::from_secs(1)).await;
    verdict.judge(&watchers.told(), &members.truth());
    verdict.finish(stage.panics(), stage.unclean_exits, lag.most_ms());
    watchers.close().await;
    members.close().await;
    Ok(verdict)
}

/// Makes a fault and heals it. Some clients of the nodes that it hits end with it.
async fn strike(stage: &mut Stage<'_>, members: &mut Members, fault: &Fault, names: &[String]) -> Result<(), Error> {
    match fault {
        Fault::Kill(nodes) => {
            for node in nodes {
                stage.nodes[*node].signal(Signal::KILL);
            }
            members.lose(names, QUITTERS);
            for node in nodes {
                stage.nodes[*node].gone().await?;
            }
            sleep(DOWN).await;
            for node in nodes {
                stage.nodes[*node].start()?;
            }
        }
        Fault::Pause(node) => {
            stage.nodes[*node].signal(Signal::STOP);
            members.lose(names, QUITTERS);
            sleep(HELD).await;
            stage.nodes[*node].signal(Signal::CONT);
        }
        Fault::Restart(node) => stage.restart(*node).await?,
        Fault::Cut { .. } | Fault::Rough | Fault::Outage => {}
    }
    Ok(())
}

/// Some say goodbye, and others come.
async fn churn(members: &mut Members, setup: &crate::setup::Setup, rng: &mut Rng) -> Result<(), Error> {
    let until = Instant::now() + CHURN;
    while Instant::now() < until {
        members.one_leaves(rng);
        sleep(PACE).await;
        members.one_comes(setup).await?;
        sleep(PACE).await;
    }
    Ok(())
}
