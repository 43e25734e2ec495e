//! An authority in a directory: `ca.pem` and `ca.key`, and for each node `NAME.pem` and `NAME.key`.
//!
//! Keys are made readable for their owner alone, before a byte of them is written. Nothing is overwritten: a key that is
//! gone is a cluster that has to be told of a new authority.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use starling_core::id::NodeName;

use super::{AUTHORITY_TIME, Authority, CaError, Pair};

/// See the module.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

/// What was made, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

impl Directory {
    /// Names a directory; it need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes an authority in it.
    ///
    /// # Errors
    /// When there is one, or the files cannot be written.
    pub fn init(&self) -> Result<Issued, CaError> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.0);
        made.map_err(failed("make", &self.0))?;
        let (_, pair) = Authority::create(AUTHORITY_TIME)?;
        self.write("ca", &pair)
    }

    /// Makes the certificate of a node with the authority in it.
    ///
    /// # Errors
    /// When there is one, there is no authority, or the files cannot be written.
    pub fn issue(&self, node: &NodeName, also: &[String], valid: Duration) -> Result<Issued, CaError> {
        if node.as_str() == "ca" {
            return Err(CaError::Exists(self.place("ca", "pem")));
        }
        let read = |path: PathBuf| fs::read_to_string(&path).map_err(failed("read", &path));
        let authority = Authority::open(&read(self.place("ca", "pem"))?, &read(self.place("ca", "key"))?)?;
        self.write(node.as_str(), &authority.issue(node, also, valid)?)
    }

    fn place(&self, name: &str, extension: &str) -> PathBuf {
        self.0.join(format!("{name}.{extension}"))
    }

    fn write(&self, name: &str, pair: &Pair) -> Result<Issued, CaError> {
        let (certificate, key) = (self.place(name, "pem"), self.place(name, "key"));
        // Both or neither: half a pair is of no use.
        for path in [&certificate, &key] {
            if path.symlink_metadata().is_ok() {
                return Err(CaError::Exists(path.clone()));
            }
        }
        create(&key, 0o600, &pair.key)?;
        create(&certificate, 0o644, &pair.certificate)?;
        Ok(Issued {
            certificate,
            key,
            expires: pair.expires,
        })
    }
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), CaError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = opened.map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => CaError::Exists(path.to_owned()),
        _ => failed("write", path)(source),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(failed("write", path))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CaError {
    let path = path.to_owned();
    move |source| CaError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ca::NODE_TIME;

    /// A directory that is gone after the test.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("starling-ca-{name}-{}", std::process::id()));
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name() -> NodeName {
        NodeName::parse("a").expect("a name")
    }

    #[test]
    fn keys_are_for_their_owner_and_nothing_is_overwritten() {
        let temporary = Temporary::new("modes");
        let directory = Directory::new(&temporary.0);
        let authority = directory.init().expect("made");
        let node = directory.issue(&name(), &[], NODE_TIME).expect("issued");
        assert_eq!(node.key, temporary.0.join("a.key"));
        for (path, expected) in [(&authority.key, 0o600), (&node.key, 0o600), (&temporary.0, 0o700)] {
            let mode = fs::metadata(path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
        let before = fs::read(&authority.key).expect("readable");
        assert!(matches!(directory.init(), Err(CaError::Exists(_))));
        assert!(matches!(
            directory.issue(&name(), &[], NODE_TIME),
            Err(CaError::Exists(_))
        ));
        fs::remove_file(&node.certificate).expect("it is there");
        assert!(
            matches!(directory.issue(&name(), &[], NODE_TIME), Err(CaError::Exists(_))),
            "half a pair is there"
        );
        let itself = NodeName::parse("ca").expect("a name");
        assert!(matches!(
            directory.issue(&itself, &[], NODE_TIME),
            Err(CaError::Exists(_))
        ));
        assert_eq!(fs::read(&authority.key).expect("readable"), before);
    }

    #[test]
    fn without_an_authority_nothing_is_issued() {
        let temporary = Temporary::new("none");
        let refused = Directory::new(&temporary.0).issue(&name(), &[], NODE_TIME);
        assert!(matches!(refused, Err(CaError::File { what: "read", .. })));
    }
}
