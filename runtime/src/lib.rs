//! What every Starling actor stands on, and nothing that knows a message of ours.
//!
//! * [`mailbox`]: ractor's mailboxes have no bound; an [`Address`](mailbox::Address) gives them one;
//! * [`wheel`]: one timer for all the things that want to be woken, instead of one each.

pub mod mailbox;
pub mod wheel;
