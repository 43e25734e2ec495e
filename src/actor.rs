//! The owners: slots and channels as ractor actors.
//!
//! ```text
//! node
//! ├── supervisor ── slot × used ── channel × active
//! │           ├──── presence × 8
//! │           └──── document × open: gateway, owner
//! └── sessions (tasks, see crate::session)
//! ```
//!
//! A turn is the same in every actor: translate the message into an input, let the rules of
//! [`starling_core`] decide, carry out the effects. A turn never waits.
//!
//! | queue | bound | when full |
//! | --- | --- | --- |
//! | channel mailbox | [`channel::MAILBOX_SIZE`] messages not worked off | a session stops reading its client; HTTP answers 503 |
//! | presence mailbox | [`presence::MAILBOX_SIZE`] requests not worked off | a session stops reading its client; ephemeral states are dropped |
//! | document mailbox | [`document::MAILBOX_SIZE`] requests not worked off | its editor is not read; HTTP answers 503 |
//! | slot mailbox | what its channels have not worked off | cannot be: each message comes in the room of a channel's |
//!
//! | actor | on panic | what others see |
//! | --- | --- | --- |
//! | channel | started again from its slot, in the same epoch; set aside after the second panic at the same place | requests on their way get `unavailable`; readers lose nothing |
//! | slot | started again on the state it had | channels are opened again |
//! | presence | the turn is given up, and the next goes on | its request gets `unavailable` |
//! | document, gateway | ended | its editors come back, and sync |
//! | document, owner | ended; started again with the next message, from the store | its gateways join again, and their editors sync |
//!
//! * [`registry`]: name → address; starts on demand, retires when idle;
//! * [`channel`], [`slot`]: the actors of what this node owns; [`relay`]: a channel that another node owns;
//! * [`presence`]: who is in channels; [`document`]: collaborative documents;
//! * [`reply`]: whom an owner answers;
//! * `alarm`: alarms that ring by a message; `supervisor`: what a crash means.

mod alarm;
pub mod channel;
pub mod document;
pub mod presence;
pub mod registry;
pub mod relay;
pub mod reply;
pub mod slot;
mod supervisor;

#[cfg(test)]
mod tests;
