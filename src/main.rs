//! The `starling` binary: what was typed, done, and its exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    starling_mesh::cli::Cli::parse().run()
}
