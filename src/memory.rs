//! The memory of the process: who hands it out, and how much there is of it.
//!
//! It is jemalloc's, because what a crowd took has to be there for others when the crowd is gone (docs/decisions/0021). Pages
//! that nobody uses go back to the system over some ten seconds, by a thread that does nothing else. What is written in C,
//! SQLite and aws-lc, has its memory from the C library.

use tikv_jemalloc_ctl::{epoch, stats};

// AddressSanitizer, under which fuzz targets run, watches the C library's allocator only.
#[cfg(not(feature = "fuzz"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes that are allocated at this moment, whatever they take in pages.
pub(crate) fn heap_bytes() -> Option<u64> {
    epoch::advance().ok()?; // or the figures are those of the last time
    let bytes = stats::allocated::read().ok()?;
    u64::try_from(bytes).ok()
}

/// Bytes of the process that are in memory and are nobody else's, as Linux tells; `None` elsewhere.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_counts_until_it_is_dropped() {
        const BYTES: u64 = 64 * 1024 * 1024;
        let heap = || heap_bytes().expect("the allocator counts");
        let before = heap();
        let much = vec![7u8; BYTES as usize];
        let (meanwhile, resident) = (heap(), resident_bytes().expect("the tests run on Linux"));
        drop(much);
        assert!(meanwhile >= before + BYTES, "{before} before, {meanwhile} meanwhile");
        assert!(resident >= BYTES, "{resident}");
        assert!(heap() < before + BYTES / 2);
    }
}
