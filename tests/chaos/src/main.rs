//! The `chaos` binary.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    starling_chaos::Cli::parse().run()
}
