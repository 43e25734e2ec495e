//! Whether ids of clients can share a hash table that takes them as they are, as yrs does.
//!
//! Yjs draws ids at random. Ids that are chosen to have the same low bits all begin at one place of such a table, and looking
//! one up costs as many steps as there are others: the square of their number for all. A table has a power of two of slots,
//! seven in eight of them taken at most, and looks from the slot that an id has by its low bits on, 16 at a time and further
//! with each step (`hashbrown`, which is the standard library's). So it is fast if in no stretch of slots many more ids begin than
//! it has room for: no more than twice as many, at any size that the table has had while it grew.

/// The smallest table that is looked at. In a smaller one there are too few ids to matter.
const TABLE_BITS_MIN: u32 = 14;

/// A stretch of slots: 128 of them.
const STRETCH_BITS: u32 = 7;

/// How many of these ids begin where there are too many others, for random ids or for those that count up from 1: the most at any
/// size of the table. What they cost is the square of it.
pub(super) fn crowded(ids: &[u64]) -> usize {
    let slots = (ids.len() * 8 / 7).max(1).next_power_of_two();
    let tables = (TABLE_BITS_MIN..=slots.trailing_zeros()).map(|table_bits| {
        let slot_mask = (1 << table_bits) - 1;
        let mut stretches = vec![0_usize; 1 << (table_bits - STRETCH_BITS)];
        for id in ids {
            stretches[((id & slot_mask) >> STRETCH_BITS) as usize] += 1;
        }
        let begin_max = begin_max(ids.len() / stretches.len());
        stretches.into_iter().filter(|begin| *begin > begin_max).sum()
    });
    tables.max().unwrap_or(0)
}

/// How many ids may begin in a stretch: six standard deviations above the mean of random ones, and some more for those that are
/// few. It is above the room of a stretch in a table that is full.
fn begin_max(mean: usize) -> usize {
    mean + 6 * mean.isqrt() + 64
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    const COUNT: u64 = 100_000;

    fn random(below: u64) -> Vec<u64> {
        (0..COUNT).map(|id| xxh3_64(&id.to_le_bytes()) % below).collect()
    }

    fn crowded_of(id: impl Fn(u64) -> u64) -> usize {
        crowded(&(0..COUNT).map(id).collect::<Vec<_>>())
    }

    #[test]
    fn ids_that_are_random_or_count_up_are_not_crowded() {
        assert_eq!(crowded(&random(1 << 32)), 0, "as Yjs draws them");
        assert_eq!(crowded(&random(1 << 53)), 0);
        assert_eq!(crowded_of(|id| id + 1), 0);
        assert_eq!(crowded(&[]), 0);
    }

    #[test]
    fn ids_that_are_chosen_to_collide_are() {
        for shift in [8, 10, 12, 14, 17, 20, 33] {
            assert_eq!(crowded_of(|id| id << shift), COUNT as usize, "{shift}");
        }
        let in_one_part = |id| id & 0xfff | id >> 12 << 40;
        assert_eq!(crowded_of(in_one_part), COUNT as usize);
    }

    #[test]
    fn those_among_others_are_counted() {
        let mut mixed = random(1 << 32);
        mixed.extend((0..1_000).map(|id| id << 20));
        // With the random ones that begin in the same stretch of the smallest table.
        let of_mixed = crowded(&mixed);
        assert!((1_000..3_000).contains(&of_mixed), "{of_mixed}");
        mixed.push(0x1234_5678);
        assert_eq!(crowded(&mixed), of_mixed, "another is none of them");
    }
}
