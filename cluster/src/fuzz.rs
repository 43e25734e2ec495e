//! What the fuzz targets of this crate do with bytes; `fuzz/README.md` tells how they are run. Peers know each other's
//! certificate, and whoever gossips the key: neither makes what they send true, and no bytes of theirs make any of this panic.

pub use crate::gossip::fuzz::{datagram as gossip_datagram, statement as gossip_statement};
pub use crate::link::fuzz::{frames as link_frames, hello as link_hello};
pub use crate::wire::fuzz::messages as link_messages;

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
pub(crate) mod replay;
