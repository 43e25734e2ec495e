//! Documents under faults: editors that type whatever happens, and what they were told is saved.
//!
//! Each editor is a connection of its own that speaks y-websocket, with a copy of its document as a browser has one. It goes on
//! typing when its connection is lost, and finds another node. In the end all copies of a document have to be the same, the
//! nodes have to have them, and everything has to be in them that was ever told as saved.
//!
//! | file | holds |
//! | --- | --- |
//! | `editors.rs` | all editors, what they wait for together, and the copies of nodes in the end |
//! | `editor.rs` | an editor's life: typing, connecting, what it says and hears |
//! | `draft.rs` | its copy, and what became of each of its edits |
//! | `line.rs` | a connection |
//! | `trace.rs` | what all of them did and were told, to be read when something is wrong |
//! | `verdict.rs` | the copies compared, and what was told as saved looked for in them |

mod draft;
mod editor;
mod editors;
mod line;
mod trace;
mod verdict;

use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::emulator::Rule;
use crate::error::Error;
use crate::lag::Lag;
use crate::run::{Plan, Stage};
use crate::scenario::{DOWN, Fault, HELD};

use draft::UNTIMED;
use editors::Editors;

pub(crate) use verdict::Verdict;

/// Those who edit, and what. Document and node change from one to the next so that each document has editors at every node.
const EDITORS: usize = 50;
const DOCUMENTS: usize = 10;

/// How long everything works undisturbed before each fault, and after the last. Saves are timed then.
const CALM: Duration = Duration::from_secs(6);

/// How long a node stands still: less than it takes a client to give it up.
const STOPPED: Duration = Duration::from_secs(5);

/// How long the database is away.
const OUTAGE: Duration = Duration::from_secs(8);

/// Makes the run, and says what came of it.
pub(crate) async fn play(stage: &mut Stage<'_>, plan: &Plan) -> Result<Verdict, Error> {
    if let Some(database) = &mut stage.database {
        database.start().await?;
    }
    for node in &mut stage.nodes {
        node.start()?;
    }
    stage.all_ready().await?;
    let mut rng = Rng::with_seed(plan.seed);
    let mut editors = Editors::start(&stage.setup, &mut rng)?;
    editors.attached(&plan.directory).await?;
    eprintln!("chaos: {EDITORS} editors on {DOCUMENTS} documents are attached");
    let lag = Lag::watch();
    let mut verdict = Verdict::new(plan, (EDITORS, DOCUMENTS));
    let mut phase = UNTIMED;
    for number in 0..=plan.faults {
        phase += 1;
        editors.shared.phase.store(phase, Ordering::Relaxed);
        sleep(CALM).await;
        editors.shared.phase.store(UNTIMED, Ordering::Relaxed);
        if number == plan.faults {
            break;
        }
        let fault = plan.scenario.fault(number, stage.nodes.len(), None, &mut rng);
        let hit: Vec<_> = fault.nodes().iter().map(|node| stage.nodes[*node].name()).collect();
        let what = format!("{} of {}: {} {fault}", number + 1, plan.faults, hit.join(", "));
        eprintln!("chaos: {what}");
        editors.shared.trace.note("fault", format_args!("{what}"));
        strike(stage, &fault).await?;
        editors.shared.trace.note("fault", format_args!("is over"));
        // What does not heal is what the run is for: it goes on to its verdict.
        if let Err(error) = stage.all_ready().await {
            eprintln!("chaos: {error}");
            verdict.trouble(&error);
        }
        editors.healed().await;
        editors.return_home().await;
        verdict.fault_made();
    }
    editors.shared.types.store(false, Ordering::Relaxed);
    editors.quiet().await;
    let copies = editors.copies(&stage.setup).await;
    verdict.judge(&copies, &editors.drafts());
    let returns = editors.shared.returns.load(Ordering::Relaxed);
    verdict.finish(returns, stage.panics(), stage.unclean_exits, lag.most_ms());
    editors.shared.trace.flush();
    editors.tasks.shutdown().await;
    Ok(verdict)
}

/// Makes a fault and heals it.
async fn strike(stage: &mut Stage<'_>, fault: &Fault) -> Result<(), Error> {
    match fault {
        Fault::Kill(nodes) => {
            for node in nodes {
                stage.nodes[*node].signal(Signal::KILL);
                stage.nodes[*node].gone().await?;
            }
            sleep(DOWN).await;
            for node in nodes {
                stage.nodes[*node].start()?;
            }
        }
        Fault::Pause(node) => {
            stage.nodes[*node].signal(Signal::STOP);
            sleep(STOPPED).await;
            stage.nodes[*node].signal(Signal::CONT);
        }
        Fault::Cut { directions, .. } => {
            stage.rule(directions, Rule::CUT);
            sleep(HELD).await;
            stage.rule(directions, Rule::default());
        }
        Fault::Outage => stage.outage(OUTAGE).await?,
        Fault::Rough | Fault::Restart(_) => {}
    }
    Ok(())
}

fn failed(what: &str, error: &dyn ToString) -> Error {
    Error::Client {
        what: what.to_owned(),
        said: error.to_string(),
    }
}
