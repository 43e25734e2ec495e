//! Names and numbers, parsed once at the edge and trusted inside.
//!
//! * [`name`]: which channel;
//! * [`position`]: where in a channel, and in which history of it;
//! * [`author`]: who published, and under which number;
//! * [`key`]: keys of keyed channels and of idempotent requests;
//! * [`slot`]: which slot, and where in its log;
//! * [`node`]: which node, and which start of it.

pub mod author;
pub mod key;
pub mod name;
pub mod node;
pub mod position;
pub mod slot;

pub use author::{Author, PublisherId, Serial, Subject};
pub use key::{IdempotencyKey, Key};
pub use name::ChannelName;
pub use node::{Generation, NodeId, NodeName};
pub use position::{Epoch, Lineage, Position, Seq, Term};
pub use slot::{Index, SlotId, slot_of};

/// A count that only grows. It saturates at its end: no honest run gets there, and a forged value
/// must not panic anybody.
macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The one before this; zero has none and stays.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
use counter;
