//! The node from outside: the binary that ships, as a process, and everything a network and its clients can do to it.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `cuts.rs` | connections cut from outside at random: nothing lost, doubled or reordered |
//! | `life.rs` | a crash, a graceful stop, clients that fall silent |
//! | `hostile.rs` | what strangers send: each gets its coded answer, and nobody else notices |
//! | `auth.rs` | tokens, their end and their successors, API keys, keys that are replaced |
//! | `slow_readers.rs` | two hundred readers that stop reading: bounded memory, others unhurt, each policy's answer |
//! | `paging.rs` | rewinding, resuming, paging, credit, and what history no longer holds |
//! | `persisted.rs` | persisted channels through `kill -9`, a full disk, damage, and fifty thousand missed messages |
//! | `cluster.rs` | three nodes: what clients are told, what an operator orders, and what no stranger can do to them |
//! | `presence.rs` | who is in a channel: coming, going and returning, on one node and on three of which some die |
//! | `editors.rs` | editors of documents, byte for byte: what they say, what they are told, and what strangers send |
//! | `documents.rs` | documents in sessions: edits, what is missing, rights, limits |
//! | `interest.rs` | which nodes a message travels to, counted at the links |
//! | `demo.rs` | the demo page, and what it may do |
//! | `publishing.rs` | a request over HTTP that is repeated |
//! | `steady.rs` | clients that publish on without waiting, whose publishes are taken together |
//! | `api.rs` | the HTTP API: each route, its document, and the page that explains it |
//! | `cli.rs` | `pub`, `sub`, `history` and `config check` as scripts use them |
//!
//! One test binary for all: it is linked once, and what `support` offers and nobody needs is noticed. Every test starts
//! its own node on ports that the system chooses.
//!
//! `make test` runs a short form, and `make endurance` the long one of `cuts.rs`, `slow_readers.rs` and `editors/idle.rs`. How
//! long is said by the environment, and a profile of the runner lets a test take its time; `STARLING_SEED` repeats a run of
//! cuts, or of `cluster/garbage.rs`:
//!
//! ```text
//! make endurance CUTS=100 CUTS_SECONDS=120 STALL_SECONDS=60 IDLE_DOCUMENTS=1000 SEED=8121 ARGS=webtransport
//! ```

mod api;
mod auth;
mod cli;
mod cluster;
mod cuts;
mod demo;
mod documents;
mod editors;
mod hostile;
mod interest;
mod life;
mod paging;
mod persisted;
mod presence;
mod publishing;
mod slow_readers;
mod steady;
mod support;
