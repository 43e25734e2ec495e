//! The node from outside: the binary that ships, as a process, and everything a network and its clients can do to it.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `cuts.rs` | connections cut from outside at random: nothing lost, doubled or reordered |
//! | `life.rs` | a crash, a graceful stop, clients that fall silent |
//! | `hostile.rs` | what strangers send: each gets its coded answer, and nobody else notices |
//! | `slow_readers.rs` | two hundred readers that stop reading: bounded memory, others unhurt, each policy's answer |
//! | `paging.rs` | rewinding, resuming, paging, credit, and what history no longer holds |
//! | `cli.rs` | `pub`, `sub`, `history` and `config check` as scripts use them |
//!
//! One test binary for all: it is linked once, and what `support` no longer needs to offer is noticed. Every test
//! starts its own node on ports that the system chooses. Short runs are made long by the environment:
//! `STARLING_CUTS=100 STARLING_CUTS_SECONDS=120`, `STARLING_STALL_SECONDS=60`; `STARLING_SEED` repeats a run of cuts.

mod cli;
mod cuts;
mod hostile;
mod life;
mod paging;
mod slow_readers;
mod support;
