//! What a run of a node must have met.

use super::coverage::sights;

sights! {
    /// A retry was answered with the first answer.
    DedupHit,
    /// A serial was retired.
    SerialSkipped,
    /// A skip found that its serial had been published.
    PublishedAfterAll,
    /// A serial was refused because an earlier one was missing.
    SerialGap,
    /// The owner could not tell what became of a serial.
    OutcomeUnknown,
    /// A session published faster than it may.
    RateLimited,
    /// A session attached faster than it may.
    AttachLimited,
    /// A session ended with its token.
    TokenExpired,
    /// A session went on with a new token.
    TokenRefreshed,
    /// A payload was too large.
    PayloadTooLarge,
    /// A request arrived over a connection that its client had given up.
    LateCopy,
    /// A reader resumed behind the head, and the ring had what it missed.
    ResumedFromRing,
    /// A reader resumed behind the head, and what it missed came in pages.
    ResumedByPages,
    /// A reader started with earlier messages.
    Rewound,
    /// A reader came back too late.
    WindowExceeded,
    /// History was cut while a reader paged through it.
    Truncated,
    /// A reader missed messages of a channel that keeps none.
    NoHistory,
    /// A reader claimed a position ahead of the channel.
    PositionAhead,
    /// A reader claimed a position that another owner wrote.
    Forked,
    /// A reader claimed an epoch that never was.
    UnknownEpoch,
    /// A reader came back after its channel had been forgotten.
    Expired,
    /// A reader came back after the node had been restarted.
    NodeRestarted,
    /// A reader came back after the slot had been reset.
    AllCopiesLost,
    /// A reader that may not read the past missed something.
    Forbidden,
    /// A reader was told that it lagged.
    Lagged,
    /// A reader was told how many messages it lost.
    Dropped,
    /// A reader was told how many messages newer ones replace.
    Superseded,
    /// A session was closed because a reader was too slow for its policy.
    Disconnected,
    /// A session was closed because nothing could be written to it.
    Stuck,
    /// A session was closed because its client was silent.
    Silent,
    /// A client gave up a connection on which nothing came.
    GatewayLost,
    /// The actor of a channel retired.
    Retired,
    /// The actor of a channel started with what the slot had kept.
    Reactivated,
    /// The actor of an ephemeral channel started with what an earlier one had left.
    Unparked,
    /// Messages were dropped by age.
    TruncatedByAge,
    /// Silent publishers were forgotten.
    PublishersExpired,
    /// Removed keys were forgotten.
    KeysExpired,
    /// An unused channel was forgotten.
    HeadForgotten,
    /// The actor of a channel failed.
    ChannelCrashed,
    /// The actor of a slot failed.
    SlotCrashed,
    /// A channel was set aside.
    Quarantined,
    /// A page could not be fetched because the channel's mailbox was full.
    PageBusy,
    /// A session stopped reading because a channel's mailbox was full.
    MailboxFull,
    /// Acks were held, to see whether their client waits for them.
    AcksHeld,
    /// A client that does not wait was read once a window.
    Gathered,
    /// A page was answered from those read before.
    PageKnown,
    /// A reader waited for credit.
    CreditSpent,
    /// A reader left while a page was on its way to its session.
    LeftInFetch,
    /// A keyed reader got the keys that had changed.
    KeysChanged,
    /// A keyed reader got every key.
    KeysReplaced,
    /// A channel was opened with what its store had kept.
    Loaded,
    /// The node ended with changes that the store had not synced.
    UnsyncedLost,
    /// The store could not say whether it had synced.
    SyncFailed,
    /// A page was read from the store.
    PageStored,
}
