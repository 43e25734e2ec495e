//! The key of stateless resets, kept across restarts.
//!
//! A QUIC client whose node was killed and started again sends packets of a connection that nobody
//! knows. The new process answers with a reset that only the old one could have announced, if it has
//! the same key: so the client learns at once what it would else conclude from silence.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use wtransport::quinn::{ConnectionId, ConnectionIdGenerator};

/// Bytes of the key: a block of the hash it is used with.
const KEY_BYTES: usize = 64;

/// The file in the data directory.
const FILE: &str = "quic-reset.key";

/// Bytes of the ids that connections go by: they cannot meet by chance.
const CONNECTION_ID_BYTES: usize = 8;

/// Ids of connections. QUIC's own are signed with a key of each start, and packets with another's are dropped before a
/// reset is thought of: a client would learn of a restart by silence alone. With these it is answered.
#[derive(Debug)]
pub(super) struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        fastrand::fill(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Reads the key, or makes one. Readable by the node alone: who has it can cut connections.
///
/// # Errors
/// When the data directory cannot be used.
pub(super) fn key(data_dir: &Path) -> io::Result<hmac::Key> {
    let path = data_dir.join(FILE);
    let mut bytes = [0; KEY_BYTES];
    match fs::File::open(&path).and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
            fs::create_dir_all(data_dir)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&bytes)?;
        }
        Err(error) => return Err(error),
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_same_after_a_restart_and_nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("starling-reset-{}", fastrand::u64(..)));
        let sign = |key: &hmac::Key| hmac::sign(key, b"connection").as_ref().to_vec();
        let first = sign(&key(&dir).expect("made"));
        assert_eq!(sign(&key(&dir).expect("read")), first);
        let mode = fs::metadata(dir.join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.join(FILE), b"short").expect("written");
        assert_ne!(sign(&key(&dir).expect("made anew")), first);
        fs::remove_dir_all(dir).expect("removed");
    }
}
