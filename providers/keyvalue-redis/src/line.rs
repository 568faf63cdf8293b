//! What moves on a connection, by which a slow line is told from a Redis that hangs.
//!
//! What comes from Redis is seen as it comes. What goes to it vanishes into buffers, the kernel's and those of whatever carries it on:
//! that they take more says nothing while there is room in them, and a large value may be on its way for long after its last byte was
//! taken. So silence is given more time for the bytes that may be on their way.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// How long nothing may move while Redis owes an answer. It answers in microseconds; a second means that it hangs.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Bytes a second of the slowest line whose buffers we wait for.
const RATE_MIN: u64 = 128 * 1024;

/// Bytes that buffers on the way are believed to hold, at most: Linux gives a socket 4 MiB (`tcp_wmem`). Of what is beyond them it is
/// seen when they take it.
const BUFFERED_MAX: u64 = 4 * 1024 * 1024;

/// One connection's traffic.
#[derive(Debug)]
pub(crate) struct Line {
    began: Instant,
    /// Since when nothing has moved although Redis owes an answer: nanoseconds from its beginning.
    silent_since: AtomicU64,
    /// Bytes of all commands so far. Those of a caller who has gone may still be on their way, so they are counted as well.
    asked: AtomicU64,
    /// How many of these came to Redis for certain: answers come in the order of the commands.
    arrived: AtomicU64,
}

/// A command under way, or several with one answer.
#[derive(Debug)]
pub(crate) struct Asked {
    at: Instant,
    /// Bytes of all commands up to its end.
    end: u64,
}

impl Line {
    pub(crate) fn new() -> Self {
        let [silent_since, asked, arrived] = [0; 3].map(AtomicU64::new);
        Self { began: Instant::now(), silent_since, asked, arrived }
    }

    /// Notes a command of so many bytes.
    pub(crate) fn ask(&self, len: usize) -> Asked {
        let (at, len) = (Instant::now(), u64::try_from(len).unwrap_or(u64::MAX));
        let before = self.asked.fetch_add(len, Relaxed);
        if before <= self.arrived.load(Relaxed) {
            self.silent_from(at); // until now it owed nothing
        }
        Asked { at, end: before.saturating_add(len) }
    }

    /// Notes that a command was answered.
    pub(crate) fn answered(&self, command: &Asked) {
        self.arrived.fetch_max(command.end, Relaxed);
    }

    /// Until when a command's answer is waited for, unless something moves before. Whoever asks when it has been silent for long does not
    /// begin anew, and has a second of his own all the same: what was asked before may never have been sent.
    pub(crate) fn patience_ends(&self, command: &Asked) -> Instant {
        let on_their_way = command.end.saturating_sub(self.arrived.load(Relaxed));
        let carrying = on_their_way.min(BUFFERED_MAX) * 1_000_000 / RATE_MIN;
        let silent_since = Duration::from_nanos(self.silent_since.load(Relaxed));
        let carried = self.began + silent_since + Duration::from_micros(carrying);
        command.at.max(carried) + SILENCE_MAX
    }

    fn silent_from(&self, now: Instant) {
        let since = now.duration_since(self.began).as_nanos();
        self.silent_since.store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }
}

/// A stream that tells its line what moves.
#[derive(Debug)]
pub(crate) struct Seen<S> {
    stream: S,
    line: Arc<Line>,
    /// The buffers took nothing when they were last asked to. Only what they take after that shows that they are emptied: they also fill
    /// up with commands for a Redis that hangs.
    is_full: bool,
}

impl<S> Seen<S> {
    pub(crate) fn new(stream: S, line: Arc<Line>) -> Self {
        Self { stream, line, is_full: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seen<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let seen = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut seen.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            seen.line.silent_from(Instant::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seen<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let seen = self.get_mut();
        let written = Pin::new(&mut seen.stream).poll_write(cx, bytes);
        match &written {
            Poll::Pending => seen.is_full = true,
            Poll::Ready(Ok(1..)) if seen.is_full => {
                seen.is_full = false;
                seen.line.silent_from(Instant::now());
            }
            Poll::Ready(_) => {}
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn silence_is_given_more_time_for_bytes_that_may_be_on_their_way() {
        let line = Line::new();
        let large = line.ask(MIB);
        let patience = |command: &Asked| line.patience_ends(command) - large.at;
        assert_eq!(patience(&large), SILENCE_MAX + Duration::from_secs(8));
        let behind = line.ask(7 * MIB);
        assert_eq!(patience(&behind), SILENCE_MAX + Duration::from_secs(32), "and no more");
        line.answered(&behind);
        assert_eq!(patience(&large), SILENCE_MAX);
    }

    #[test]
    fn whoever_asks_in_a_long_silence_waits_a_second() {
        let mut line = Line::new();
        line.began -= Duration::from_secs(60);
        line.asked = AtomicU64::new(4); // and nobody waits for it any more
        let asked = line.ask(MIB);
        assert_eq!(line.patience_ends(&asked), asked.at + SILENCE_MAX);
        line.answered(&asked);
        let asked = line.ask(MIB);
        assert_eq!(line.patience_ends(&asked), asked.at + SILENCE_MAX + Duration::from_secs(8));
    }

    #[tokio::test]
    async fn only_what_comes_or_goes_out_of_full_buffers_moves() {
        let (near, mut far) = duplex(4);
        let line = Arc::new(Line::new());
        let mut near = Seen::new(near, Arc::clone(&line));
        let moved = || line.silent_since.swap(0, Relaxed) > 0;
        near.write_all(b"1234").await.expect("there is room");
        assert!(!moved(), "so far nobody has read it");
        let mut read = [0; 4];
        let (written, _) = tokio::join!(near.write_all(b"5"), far.read_exact(&mut read));
        written.expect("there is room again");
        assert!(moved(), "somebody has read");
        far.write_all(b"6").await.expect("there is room");
        near.read_exact(&mut read[..1]).await.expect("it is there");
        assert!(moved());
    }
}
