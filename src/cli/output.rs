//! Standard output: results, a line at a time, or bytes as they are.

use std::io::{self, Write};

use super::exit::Failure;

/// Where results go. Each is flushed: whoever reads a pipe gets a line when it is there, not when a buffer is full.
#[derive(Debug)]
pub(super) struct Output<W> {
    to: W,
}

impl Output<io::StdoutLock<'static>> {
    /// Standard output, held until the command ends.
    pub(super) fn stdout() -> Self {
        Self::new(io::stdout().lock())
    }
}

impl<W: Write> Output<W> {
    pub(super) const fn new(to: W) -> Self {
        Self { to }
    }

    /// Writes one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let written = self.to.write_all(line).and_then(|()| self.to.write_all(b"\n"));
        self.flush(written)
    }

    /// Writes bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.to.write_all(bytes);
        self.flush(written)
    }

    fn flush(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        let written = written.and_then(|()| self.to.flush());
        written.map_err(|cause| match cause.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Io {
                what: "standard output cannot be written",
                cause,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refuses(io::ErrorKind);

    impl Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_ends_in_one_line_feed() {
        let mut output = Output::new(Vec::new());
        output.line(b"one").expect("memory takes it");
        output.line(b"").expect("memory takes it");
        output.bytes(b"two").expect("memory takes it");
        assert_eq!(output.to, b"one\n\ntwo");
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        let closed = Output::new(Refuses(io::ErrorKind::BrokenPipe)).line(b"x");
        assert!(matches!(closed, Err(Failure::OutputClosed)));
        let full = Output::new(Refuses(io::ErrorKind::StorageFull)).line(b"x");
        assert!(matches!(full, Err(Failure::Io { .. })));
    }
}
