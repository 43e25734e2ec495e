//! How many sockets may be open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Error;

/// Descriptors that are not connections: standard streams, listeners, epoll, files of the runtime and of `/proc`. They
/// number a few dozen; the rest is room for what a server opens for itself.
const RESERVED: u64 = 128;

/// Raises the soft limit to the hard one, for this process and the servers it starts, and checks that so many
/// connections fit.
pub(crate) fn raise(connections: u64) -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )
        .map_err(|errno| Error::system("raise the limit of open files")(errno.into()))?;
    }
    match limit.maximum {
        Some(most) if most < connections + RESERVED => Err(Error::Options(format!(
            "{connections} connections need {} open files, and the hard limit is {most}: ask for fewer, or raise it \
             with `ulimit -Hn`",
            connections + RESERVED
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_reaches_the_hard_one_and_is_checked() {
        raise(1).expect("one connection fits anywhere");
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        if let Some(most) = limit.maximum {
            assert!(matches!(raise(most), Err(Error::Options(_))));
        }
    }
}
