//! Faults that the simulation plants to show that its checks would catch them.
//!
//! Without the feature `sim` the switches do not exist: [`Faults`] has no size, every question is
//! constantly answered "no", and the compiler removes the branch.

/// Which faults are planted; none by default.
#[cfg(feature = "sim")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// A publish is acknowledged when it is proposed rather than when it is committed.
    pub ack_before_append: bool,
    /// A change of a stored channel is committed when it is sent to the store rather than when the
    /// store has synced it.
    pub ack_before_sync: bool,
    /// The publisher table is not asked and not filled: a retry is published again.
    pub dedup_dropped: bool,
    /// A reader that resumes behind the head is started one message too late.
    pub resume_off_by_one: bool,
    /// A position older than the history is answered as if nothing were missing.
    pub evict_without_discontinuity: bool,
    /// A channel whose actor retires is forgotten.
    pub forget_head_at_retirement: bool,
    /// Credit reserved for a page is not given back when the reader leaves.
    pub credit_leak: bool,
    /// An owner commits what it alone holds (against R1).
    pub commit_alone: bool,
    /// A copy takes entries of an owner of the past (against R2).
    pub no_term_check: bool,
    /// What one start of a node acknowledged counts for the next (against R3).
    pub no_generation: bool,
    /// The table lets any node take a slot over (against R4).
    pub claim_by_anyone: bool,
    /// A copy is added to the in-sync set before its acks are required (against R5).
    pub grow_before_ack: bool,
    /// A copy whose membership is not confirmed counts as one (against R6).
    pub pending_counts: bool,
    /// A message is fanned out when it is proposed.
    pub fan_out_before_commit: bool,
    /// A copy does not keep who published what (against R10).
    pub publishers_not_replicated: bool,
    /// A slot that lost its history goes on with the epochs of before.
    pub epoch_kept_on_reset: bool,
    /// A new owner answers readers before what it inherited is safe (against R8).
    pub attach_before_safe: bool,
    /// A slot's history is given up because its copies are silent (against R13).
    pub reset_after_silence: bool,
    /// A doubtful position is answered without a look whether this is still the owner (against R8b).
    pub doubt_not_confirmed: bool,
    /// Nobody takes over a slot whose owner is down.
    pub no_claim: bool,
    /// An owner keeps a slot that should be another's.
    pub no_hand_over: bool,
    /// An owner waits for members that are silent, for ever.
    pub no_shrink: bool,
    /// A gateway shows its readers a message whose predecessor it lacks (against R12).
    pub feed_gap_shown: bool,
    /// A gateway does not attach again when another node owns the channel (against R12).
    pub feed_not_resumed: bool,
    /// A relay numbers what it asks as one that was there before it did.
    pub numbers_reused: bool,
    /// A gateway never compares its presence entries with their owners.
    pub presence_no_digest: bool,
    /// A presence entry that was removed is entered again by an old change.
    pub presence_no_dots: bool,
    /// An owner takes presence entries of nodes that are dead.
    pub presence_no_purge_record: bool,
    /// The replicas of an owner are not told who has left.
    pub presence_leave_not_replicated: bool,
    /// A new owner is sure of what it holds of all gateways.
    pub presence_early_leave: bool,
    /// A connection that is lost leaves at once.
    pub presence_no_grace: bool,
    /// A gateway shows whatever an owner tells, whether or not it goes on from what was told.
    pub presence_no_chain: bool,
    /// An owner without a majority declares the others' members gone.
    pub presence_purge_alone: bool,
    /// A new owner tells what it holds as if it had just changed.
    pub presence_old_is_news: bool,
}

/// Which faults are planted: none, in this build.
#[cfg(not(feature = "sim"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults(());

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        impl Faults {
            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $name(self) -> bool {
                    #[cfg(feature = "sim")]
                    let planted = self.$name;
                    #[cfg(not(feature = "sim"))]
                    let planted = false;
                    planted
                }
            )+
        }
    };
}

switches! {
    /// Whether to acknowledge before the commit.
    ack_before_append,
    /// Whether to commit before the store has synced.
    ack_before_sync,
    /// Whether to publish retries again.
    dedup_dropped,
    /// Whether to lose a message at resume.
    resume_off_by_one,
    /// Whether to hide that history was cut.
    evict_without_discontinuity,
    /// Whether to forget channels at retirement.
    forget_head_at_retirement,
    /// Whether to lose credit.
    credit_leak,
    /// Whether to commit without copies.
    commit_alone,
    /// Whether to take entries of past owners.
    no_term_check,
    /// Whether to confuse a node with its restart.
    no_generation,
    /// Whether to let anybody claim.
    claim_by_anyone,
    /// Whether to add copies that are not required to ack.
    grow_before_ack,
    /// Whether to count copies that are not confirmed.
    pending_counts,
    /// Whether to fan out what may vanish.
    fan_out_before_commit,
    /// Whether to forget publishers on copies.
    publishers_not_replicated,
    /// Whether to hide a reset.
    epoch_kept_on_reset,
    /// Whether to answer readers from a tail that is not safe.
    attach_before_safe,
    /// Whether to take silence for death.
    reset_after_silence,
    /// Whether to answer doubtful positions at once.
    doubt_not_confirmed,
    /// Whether to leave slots without an owner.
    no_claim,
    /// Whether to keep what should be another's.
    no_hand_over,
    /// Whether to wait for silent members.
    no_shrink,
    /// Whether to show messages across a gap.
    feed_gap_shown,
    /// Whether to follow an owner of the past for ever.
    feed_not_resumed,
    /// Whether to take an answer for another's.
    numbers_reused,
    /// Whether to send no digests of entries.
    presence_no_digest,
    /// Whether to merge without dots.
    presence_no_dots,
    /// Whether to take what dead nodes say.
    presence_no_purge_record,
    /// Whether to keep leaves from replicas.
    presence_leave_not_replicated,
    /// Whether to be sure of gateways at once.
    presence_early_leave,
    /// Whether to let lost clients leave at once.
    presence_no_grace,
    /// Whether to apply changes out of order.
    presence_no_chain,
    /// Whether to purge without a majority.
    presence_purge_alone,
    /// Whether to tell what is old.
    presence_old_is_news,
}

#[cfg(all(test, not(feature = "sim")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_simulation_carries_no_switch() {
        assert_eq!(size_of::<Faults>(), 0);
        let faults = Faults::default();
        assert!(!faults.ack_before_append() && !faults.credit_leak());
    }
}
