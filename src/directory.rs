//! The node's data directory: one process at a time has it, for as long as it lives.
//!
//! A node that registers a start with the cluster proves with this lock that earlier starts of its name are dead, and the
//! embedded store relies on being the only one that writes.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Locked by the node that uses the directory.
const LOCK: &str = "starling.lock";

/// Why a directory cannot be had.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It cannot be used.
    #[error(
        "cannot use the data directory {directory}: {source}; create it, or set node.data_dir to one that this user may write"
    )]
    Unusable {
        /// Which.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another node has it.
    #[error(
        "the data directory {directory} is used by another node; stop that one, or give this one its own node.data_dir"
    )]
    Taken {
        /// Which.
        directory: PathBuf,
    },
}

/// A directory that this process has, until it is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Takes the directory for this process, and makes it if there is none.
    ///
    /// # Errors
    /// When it cannot be used, or another process has it.
    pub fn take(path: &Path) -> Result<Self, DirectoryError> {
        let unusable = |source| DirectoryError::Unusable {
            directory: path.to_owned(),
            source,
        };
        if !path.is_dir() {
            std::fs::create_dir_all(path).map_err(unusable)?;
            // Its name has to outlive a loss of power as what is in it does.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync(parent.unwrap_or_else(|| Path::new("."))).map_err(unusable)?;
        }
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::Taken {
                directory: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the names in a directory outlive a loss of power.
///
/// # Errors
/// What the system says.
pub fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}
