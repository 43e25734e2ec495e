//! Chance, from a seed.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), kept
//! here rather than taken from a crate: a seed that somebody wrote down must replay after an update.

use std::convert::Infallible;
use std::time::Duration;

use rand::TryRng;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one part of a run, so that a draw more in one part leaves the others
    /// as they were.
    pub(super) fn split(&mut self) -> Self {
        Self(self.draw())
    }

    /// A number below `end`, which is at least 1.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The bias is at most end / 2^64: nothing that a run could notice.
        self.draw() % end
    }

    /// A number in `range`, both ends included.
    pub(super) fn between(&mut self, range: (u64, u64)) -> u64 {
        range.0 + self.below(range.1 - range.0 + 1)
    }

    /// A time in `range`, in whole microseconds.
    pub(super) fn time(&mut self, range: (Duration, Duration)) -> Duration {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.between((micros(range.0), micros(range.1))))
    }

    /// Whether something happens that happens so often in a hundred times.
    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of several, at least one.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// An index below `len`, which is at least 1.
    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("an index below a length fits")
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// What the rules ask of a source of random bits.
impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.draw() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw())
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for chunk in into.chunks_mut(8) {
            let bits = self.draw().to_le_bytes();
            chunk.copy_from_slice(&bits[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // The generator's published test vector, for seed 1234567.
        let mut dice = Dice::new(1_234_567);
        let drawn: Vec<_> = (0..3).map(|_| dice.draw()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut dice = Dice::new(1);
        let drawn: Vec<_> = (0..1_000).map(|_| dice.between((3, 5))).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (3..=5).contains(n)));
        let often = (0..10_000).filter(|_| dice.percent(30)).count();
        assert!((2_700..3_300).contains(&often), "{often}");
        let second = Duration::from_secs(1);
        assert_eq!(dice.time((second, second)), second);
    }
}
