//! The rules of Starling: state machines without IO.
//!
//! Every machine has one entrance, `handle(&mut self, input, now, &mut effects)`: it takes one
//! thing that happened and appends what is to be done about it. It never waits, reads no clock,
//! draws no dice and knows no runtime, so a run is replayed by feeding it the same inputs.
//!
//! * [`id`]: names and numbers, parsed once at the edge;
//! * [`time`]: the two clocks that come in by the door;
//! * [`slot`]: the log that several channels share, and what is committed of it;
//! * [`replica`]: one slot at one of the nodes that hold it: replication, and change of owner;
//! * [`placement`]: which nodes should hold which slot;
//! * [`table`]: which node owns which slot: the one authority of a cluster;
//! * [`channel`]: one channel: who may publish what, in which order, and what a reader is answered;
//! * [`document`]: one collaborative document: hostile input, the CRDT, what its clients say;
//! * [`namespace`]: what holds for the channels of a namespace;
//! * [`session`]: one client at its gateway: what it may do, and what it is told;
//! * [`access`]: which channels a session may do what with;
//! * [`rate`]: how often a session, or a party with many requests, may ask for something;
//! * [`ring`] and [`backpressure`]: the newest messages, and what becomes of a reader they outrun;
//! * [`relay`]: a channel at a gateway that does not own it;
//! * [`presence`]: who is in a channel;
//! * [`balance`]: how many clients of a node had better be at another;
//! * [`pulse`]: when readers are told that there is something new;
//! * `sim` (feature `sim`): a node, its clients and the links between them, replayed from a seed;
//! * `fuzz` (feature `fuzz`): what fuzz targets do with bytes.
//!
//! A publish passes from the channel, which gives it a seq, to the slot, which gives it an index
//! and commits it, and back to the channel, which only then acknowledges it and fans it out:
//!
//! ```text
//!   Publish ──▶ channel ──Propose──▶ slot ──Committed──▶ channel ──▶ Ack, FanOut
//! ```

pub mod access;
pub mod backpressure;
pub mod balance;
pub mod channel;
pub mod document;
pub mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod id;
pub mod namespace;
pub mod placement;
pub mod presence;
pub mod pulse;
pub mod rate;
pub mod relay;
pub mod replica;
pub mod ring;
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod slot;
pub mod table;
pub mod time;
