//! The protocol versions spoken, and how one is chosen.
//!
//! Hello offers a range, Welcome names one version of it: the highest both sides speak. A version changes only when an
//! older peer would misunderstand: new fields and new close or error codes do not need one (see `README.md`).

/// The lowest version this crate speaks.
pub const VERSION_MIN: u32 = 1;

/// The highest version this crate speaks.
pub const VERSION_MAX: u32 = 1;

/// The highest version in `min..=max` that this crate speaks too; `None` if there is none.
///
/// A server without one says goodbye with `unsupported_version`. A range whose ends are the wrong way round, or that
/// starts at 0, holds no version.
#[must_use]
pub const fn choose(min: u32, max: u32) -> Option<u32> {
    choose_between(VERSION_MIN, VERSION_MAX, min, max)
}

/// [`choose`] for any range of our own, so that the rule is tested for more than the one version there is.
const fn choose_between(our_min: u32, our_max: u32, min: u32, max: u32) -> Option<u32> {
    let highest = if max < our_max { max } else { our_max };
    let lowest = if min > our_min { min } else { our_min };
    if min == 0 || min > max || highest < lowest {
        None
    } else {
        Some(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_wins() {
        assert_eq!(choose_between(1, 3, 2, 5), Some(3));
        assert_eq!(choose_between(2, 5, 1, 3), Some(3));
        assert_eq!(choose_between(1, 9, 4, 4), Some(4));
    }

    #[test]
    fn ranges_that_do_not_meet_have_none() {
        assert_eq!(choose_between(1, 2, 3, 4), None);
        assert_eq!(choose_between(3, 4, 1, 2), None);
    }

    #[test]
    fn ranges_that_make_no_sense_have_none() {
        assert_eq!(choose_between(1, 3, 0, 3), None);
        assert_eq!(choose_between(1, 3, 3, 2), None);
    }

    #[test]
    fn this_crate_speaks_with_itself() {
        assert_eq!(choose(VERSION_MIN, VERSION_MAX), Some(VERSION_MAX));
        assert_eq!(choose(1, u32::MAX), Some(VERSION_MAX));
    }
}
