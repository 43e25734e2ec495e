//! Real nodes under faults: processes in network namespaces, a network that can be made bad, clients that note all they
//! do and see, and checkers that read the notes. docs/chaos.md says how it is run and what its result means.
//!
//! ```text
//!  run ── setup      authority, certificates, configuration, by the product's own commands
//!   ├─ namespace     where each node and the clients are
//!   ├─ emulator      the network between them
//!   ├─ slots         who owns what, as the nodes tell
//!   ├─ node          a process: killed, stopped, told to go
//!   ├─ load          publishers and readers in this process, by the Rust client
//!   │    └─▶ history.jsonl ──▶ check   what must hold (I1 to I10, L1)
//!   ├─ crowd         presence: clients that come and go, and what is shown of them, judged by itself
//!   ├─ documents     editors, each with a copy of its own, and what the nodes told them, judged by itself; database
//!   └─ scenario      which faults ──▶ gaps    how long they were felt
//!                                     report  the last line
//! ```
//!
//! The checkers know the history and nothing else, so they are tested on histories that were written by hand, and
//! `chaos check` judges a run again.

mod check;
mod cli;
mod crowd;
mod database;
mod documents;
mod emulator;
mod error;
mod gaps;
mod history;
mod http;
mod lag;
mod load;
mod namespace;
mod node;
mod report;
mod run;
mod scenario;
mod setup;
mod slots;

pub use cli::Cli;
