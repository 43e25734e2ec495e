//! Lines of standard input, read on a thread of their own: a terminal or a pipe may be silent for hours.

use std::io::{self, BufRead, Read};
use std::thread;

use bytes::Bytes;
use starling_protocol::limits::PAYLOAD_BYTES_MAX;
use tokio::sync::mpsc;

/// Lines read ahead of what was published. As many as may be on their way: more would only wait here instead of in
/// the pipe, which then stops whoever writes it.
const LINES_AHEAD: usize = 64;

/// What stood on one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line without its line feed.
    Data(Bytes),
    /// It has more bytes than any payload, so it was not kept.
    TooLong,
}

/// Reads standard input to its end. An error ends it too, and is the last thing to come.
pub(super) fn stdin() -> mpsc::Receiver<io::Result<Line>> {
    let (sender, lines) = mpsc::channel(LINES_AHEAD);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = read(&mut input, PAYLOAD_BYTES_MAX).transpose() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    lines
}

/// Reads one line of up to `max` bytes; `None` at the end. A last line without a line feed counts.
fn read(input: &mut impl BufRead, max: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.pop_if(|byte| *byte == b'\n').is_none() {
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() > max {
            input.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
    }
    Ok(Some(Line::Data(line.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8], max: usize) -> Vec<Line> {
        std::iter::from_fn(|| read(&mut input, max).expect("memory can be read")).collect()
    }

    fn data(text: &'static str) -> Line {
        Line::Data(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn lines_are_parted_by_line_feeds_and_nothing_else() {
        assert_eq!(all(b"a\n\nb\r\nc", 10), [data("a"), data(""), data("b\r"), data("c")]);
        assert_eq!(all(b"", 10), []);
        assert_eq!(all(b"\n", 10), [data("")]);
    }

    #[test]
    fn a_line_longer_than_any_payload_is_passed_over_whole() {
        assert_eq!(
            all(b"12345\n123456\nend\n", 5),
            [data("12345"), Line::TooLong, data("end")]
        );
        assert_eq!(all(b"1234567890", 5), [Line::TooLong]);
    }
}
