//! A directory of a test: gone when the test is over, with whatever is mounted on it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// See the module.
pub(crate) struct Directory {
    path: PathBuf,
    is_mounted: bool,
}

impl Directory {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let name = format!("starling-e2e-{:016x}", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new directory");
        Self {
            path,
            is_mounted: false,
        }
    }

    /// An empty disk of so many bytes. Takes root, as a test of a full disk does.
    pub(crate) fn small(bytes: u64) -> Self {
        let mut directory = Self::new();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&directory.path)
            .status();
        let is_mounted = mounted.is_ok_and(|status| status.success());
        assert!(is_mounted, "a full disk is a small tmpfs, and mounting one takes root");
        directory.is_mounted = true;
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        self.path.to_str().expect("its name is plain")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily: a node that was killed may still hold a file.
            let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
        }
        let _ = std::fs::remove_dir_all(&self.path); // the system clears it some day
    }
}
