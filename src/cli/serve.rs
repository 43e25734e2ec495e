//! `starling serve`: runs a node.

use tokio::runtime;

use crate::config::Config;
use crate::node::Node;
use crate::telemetry;

use super::exit::{Exit, Failure};
use super::settings::Settings;

/// Runs a node until it is told to stop: by Ctrl-C, or by SIGTERM.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        run_node(self.settings.load()?.config, |_| ())
    }
}

/// Starts a node, tells that it serves, and runs it to its end.
pub(super) fn run_node(config: Config, serving: impl FnOnce(&Node)) -> Result<Exit, Failure> {
    telemetry::log(&config.log);
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Failure::Io {
        what: "no threads could be started",
        cause,
    })?;
    runtime.block_on(async {
        let node = Node::start(config)
            .await
            .map_err(|error| Failure::Node(error.to_string()))?;
        serving(&node);
        node.run().await.map_err(|error| Failure::Node(error.to_string()))?;
        Ok(Exit::Done)
    })
}
