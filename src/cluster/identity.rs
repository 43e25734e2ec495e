//! Which start of which node this is.
//!
//! A start has a number, its *generation*, which is higher than that of every earlier start of the same name: peers tell by
//! it who holds what in memory and who is dead. It is the time in milliseconds, or one more than the last if the clock went
//! back, and it is on the disk before anybody hears it. So a node that lost its disk is later than before all the same, if its
//! clock is right.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use starling_core::id::{Generation, NodeId, NodeName};

use super::ClusterError;
use crate::config::Config;
use crate::directory::{self, DataDirectory};
use crate::node::{Clock, name_of};

/// The number of the last start, in the data directory.
const FILE: &str = "generation";

/// What this process has to itself.
pub(super) struct Identity {
    pub(super) me: NodeId,
    pub(super) directory: DataDirectory,
}

impl Identity {
    /// Takes the data directory, and the next generation.
    pub(super) fn take(config: &Config) -> Result<Self, ClusterError> {
        let name = NodeName::parse(&name_of(config))?;
        let directory = DataDirectory::take(&config.node.data_dir)?;
        let generation = next(directory.path(), Clock.now().wall.0)?;
        let me = NodeId { name, generation };
        Ok(Self { me, directory })
    }
}

/// The generation of a start at this time, in milliseconds since 1970.
fn next(directory: &Path, now: u64) -> Result<Generation, ClusterError> {
    let file = directory.join(FILE);
    let last = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim_end().parse().ok().filter(|last| *last < u64::MAX),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
        Err(source) => return Err(ClusterError::Generation { file, source }),
    };
    let Some(last) = last else {
        return Err(ClusterError::Counter { file });
    };
    let generation = now.max(last + 1);
    match keep(directory, generation) {
        Ok(()) => Ok(Generation(generation)),
        Err(source) => Err(ClusterError::Generation { file, source }),
    }
}

/// Replaces the number as a whole: it is the old one or the new one, whenever power is lost.
fn keep(directory: &Path, generation: u64) -> io::Result<()> {
    let draft = directory.join("generation.new");
    let mut options = OpenOptions::new();
    let mut file: File = options.create(true).truncate(true).write(true).open(&draft)?;
    writeln!(file, "{generation}")?;
    file.sync_all()?;
    std::fs::rename(&draft, directory.join(FILE))?;
    directory::sync(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("starling-{test}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("makes");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_start_is_later_whatever_the_clock_says() {
        let scratch = Scratch::new("generation");
        let at = |now| next(&scratch.0, now).expect("kept").0;
        assert_eq!(
            [at(1_000), at(2_000), at(500), at(0), at(3_000)],
            [1_000, 2_000, 2_001, 2_002, 3_000]
        );
    }

    #[test]
    fn a_number_that_cannot_be_read_is_told_and_not_passed_over() {
        let scratch = Scratch::new("generation-damaged");
        for damaged in ["", "-1", "12x", "18446744073709551615", "99999999999999999999"] {
            std::fs::write(scratch.0.join(FILE), damaged).expect("writes");
            let refused = next(&scratch.0, 5);
            assert!(matches!(refused, Err(ClusterError::Counter { .. })), "{damaged:?}");
        }
        std::fs::remove_file(scratch.0.join(FILE)).expect("removes");
        std::fs::create_dir(scratch.0.join(FILE)).expect("makes");
        assert!(matches!(next(&scratch.0, 5), Err(ClusterError::Generation { .. })));
    }
}
