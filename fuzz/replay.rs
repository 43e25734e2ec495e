//! What the ordinary tests of a crate do with the corpora of its fuzz targets. Each crate that has some includes this file.
//!
//! A corpus has seeds, which are made of what the tests know to be good or bad, and what fuzzing found. Seeds that are missing
//! are written by
//!
//! ```text
//! UPDATE_CORPUS=1 cargo test fuzz
//! ```

use std::path::{Path, PathBuf};

/// Longest seed: a fuzzer changes some bytes at a time, and finds little in long ones.
const SEED_BYTES_MAX: usize = 4_096;

/// Files of a corpus: they are read by people, too.
const FILES_MAX: usize = 64;

/// Runs a target on each file of its corpus. Every seed has to be among them; those that are too long are left out.
pub(crate) fn replay(target: &str, run: fn(&[u8]), seeds: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let corpus = corpora().join(target);
    for (name, seed) in seeds {
        let file = corpus.join(name.replace(|symbol: char| !symbol.is_ascii_alphanumeric(), "-"));
        if seed.len() > SEED_BYTES_MAX || file.exists() {
            continue;
        }
        assert!(
            std::env::var_os("UPDATE_CORPUS").is_some(),
            "{} is missing; write it with UPDATE_CORPUS=1",
            file.display()
        );
        std::fs::create_dir_all(&corpus).expect("the corpus can be written");
        std::fs::write(&file, seed).expect("the corpus can be written");
    }
    let files = std::fs::read_dir(&corpus).expect("there is a corpus");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    assert!(
        (1..=FILES_MAX).contains(&files.len()),
        "{target} has {} files",
        files.len()
    );
    for file in files {
        // The last that is named is the one that failed.
        println!("{}", file.display());
        run(&std::fs::read(&file).expect("it can be read"));
    }
}

fn corpora() -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let corpora = above.find_map(|directory| Some(directory.join("fuzz/corpus")).filter(|corpora| corpora.is_dir()));
    corpora.expect("the corpora are in the repository")
}
