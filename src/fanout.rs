//! From one committed message to all its local readers.
//!
//! A [`Feed`] is one channel at this gateway. Its messages are encoded once ([`Frame`]) and kept in one
//! ring; a reader is a session that holds a cursor into it. When the feed moves it marks each
//! reader's mailbox and wakes those that were asleep; a reader that is awake, or waits for its
//! coalescing window, is not woken again. There is no queue and no allocation per reader.
//!
//! A [`Board`] is the same for who is in a channel, and for what they say for the [`Moment`].

mod board;
mod feed;
mod frame;
mod moment;
mod page;
mod readers;

pub use board::{Board, Heads};
pub use feed::{Feed, Gateway};
pub use frame::Frame;
pub use moment::Moment;
pub use page::{EncodedPage, PageCache};
pub use readers::Listener;
