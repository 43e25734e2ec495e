//! Load generators and null servers for measuring Starling.
//!
//! One question is answered here: what does a delivery cost, and how much of that is ours? The cost is the processor
//! time of the server for one message to one subscriber; the part that is not ours is what a *null server* needs for
//! the same writes to the same sockets, measured in the same minutes on the same core. How to run it and how to read
//! the numbers stands in `README.md` beside this crate. A second question follows from the first: what does it cost that the
//! publisher, the channel's owner and the subscribers are at three different nodes? A third is asked of presence: does a crowd in one
//! channel hold up who publishes in another?
//!
//! ```text
//! fanout   rounds of two servers in turn, verdicts, medians, the report
//! presence a cluster and a crowd that comes and goes, in stages
//!  ├─ server   one server under test: a child process on its own core, or the three of a cluster
//!  └─ load     one run against it, in this process on another core
//!       ├─ publisher   open loop: messages leave on a schedule, whatever the server does
//!       ├─ sink        nearly all subscribers: bytes are counted and thrown away
//!       ├─ probe       the others: every message is parsed, checked and timed
//!       └─ crowd       sessions that come to one channel and go, and watch it
//! null     the null servers, over WebSocket and over WebTransport
//! wire     just enough of both wires for the two ends
//! proc     what the kernel knows: processor time, memory, stolen time, cores, descriptors
//! ```
//!
//! Everything speaks the protocol itself, not through `starling-client`: a receiver has to cost less than what it
//! measures. Linux only, because what it reads stands in `/proc`.

mod error;
pub mod fanout;
mod figures;
mod load;
pub mod null;
pub mod presence;
mod proc;
mod server;
mod wire;

pub use error::Error;
pub use wire::Transport;
