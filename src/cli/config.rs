//! `starling config check` and `starling config show`.

use crate::auth::Auth;
use crate::config;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::settings::Settings;
use super::shape::json;

/// Checks or shows a node's configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Reads the configuration as `serve` would and says whether it holds
    Check(Settings),
    /// Prints the effective values, each with its source
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object a line: key, value, source
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Check(settings) => {
                let loaded = settings.load()?;
                Auth::new(&loaded.config.auth).map_err(|error| Failure::Usage(error.to_string()))?;
                super::note("the configuration holds");
            }
            Verb::Show(show) => {
                let loaded = show.settings.load()?;
                let mut output = Output::stdout();
                if show.json {
                    config::settings(&loaded)
                        .iter()
                        .try_for_each(|setting| output.line(&json(setting)))?;
                } else {
                    config::show(&loaded)
                        .lines()
                        .try_for_each(|line| output.line(line.as_bytes()))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}
