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
