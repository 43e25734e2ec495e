//! `starling dev`: a node for development, with nothing to configure.

use std::path::{Path, PathBuf};

use crate::config::{self, Config, DEVELOPMENT};

use super::exit::{Exit, Failure};
use super::note;
use super::serve::run_node;
use super::server::DEFAULT_URL;
use super::settings::{Flags, environment};

/// Runs a node on this machine for development: nothing to configure, open to whoever sits at it.
///
/// It serves the namespaces "demo" (messages with two minutes of history), "log" (messages that outlive the node),
/// "live" (nothing is kept) and "board" (the newest value of each key), and a demo page at /, on loopback addresses only.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
pub(super) struct Dev {
    /// Port for clients; the admin port is the one after it. 0 takes free ones
    #[arg(long, default_value_t = 4433)]
    port: u16,
    /// Where the node keeps what must outlive it: the messages of "log"
    #[arg(long, value_name = "DIR", default_value = ".starling")]
    data_dir: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

impl Dev {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let flags = self.flags.after(Config::dev_flags(self.port, &self.data_dir));
        let file = Some((Path::new("config/development.toml"), DEVELOPMENT));
        let loaded = config::load(file, environment(std::env::vars_os()), &flags)?;
        run_node(loaded.config, |node| {
            let url = node.url();
            let option = if url == DEFAULT_URL {
                String::new()
            } else {
                format!(" --url {url}")
            };
            // As this one was called: what a clone has is `./starling`.
            let called = std::env::args_os().next();
            let starling = called.map_or_else(|| "starling".into(), |it| it.to_string_lossy().into_owned());
            note(&format!(
                "serving {url}: open it in two tabs; {url}/document is a text to write together"
            ));
            note("or try, in two other terminals:");
            note(&format!("  {starling} sub demo:lobby{option}"));
            note(&format!("  {starling} pub demo:lobby hello{option}"));
        })
    }
}
