//! Resident memory of a process.
//!
//! From `smaps_rollup`, which walks the page tables: the counters behind `VmRSS` are kept for each core and may be
//! off by hundreds of KiB. What the kernel keeps for a socket (near 4 KiB for TCP) belongs to no process and is not in
//! it.

use super::{malformed, read};
use crate::Error;

/// Bytes of the process that are in memory.
pub(crate) fn resident(pid: u32) -> Result<u64, Error> {
    let path = format!("/proc/{pid}/smaps_rollup");
    parse(&read(&path)?).ok_or_else(|| malformed(&path, "there is no line `Rss: N kB`"))
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_among_others() {
        let text = "55f0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:                1820 kB\nPss:    700 kB\n";
        assert_eq!(parse(text), Some(1820 * 1024));
        assert_eq!(parse("Pss: 700 kB\n"), None);
    }

    #[test]
    fn this_process_is_resident() {
        assert!(resident(std::process::id()).expect("readable") > 100 * 1024);
    }
}
