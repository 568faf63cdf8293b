//! What a provider writes to stdout and stderr: JSON lines of its log, a panic's message, or anything at all.

mod line;
mod lines;

use std::{
    collections::VecDeque,
    io::{self, PipeReader},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::unix::pipe::Receiver,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use wattle_core::EntityId;

use self::{line::Line, lines::Lines};
use crate::logbook::{LogBook, printable};

/// Lines kept for whoever asks why it ended.
const TAIL_LINES: usize = 20;

/// Bytes kept of each of these.
const TAIL_LINE_LEN_MAX: usize = 500;

/// Lines that go into the host's book within [`WINDOW`]; what is more is counted.
const LINES_MAX: u32 = 500;

/// See [`LINES_MAX`].
const WINDOW: Duration = Duration::from_secs(1);

/// Bytes read at once.
const READ_LEN: usize = 32 * 1024;

/// A pause after each read from who writes more than [`LINES_MAX`], who then waits in its own `write`: 32 KiB per millisecond
/// are far more than any log, and take little of a lane.
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// Bytes read of what was left in the pipe when the process ended.
const REST_LEN_MAX: usize = 1024 * 1024;

/// How long that may take.
const REST_MAX: Duration = Duration::from_secs(1);

/// Reads one process's log until that ended.
#[derive(Debug)]
pub(super) struct LogReader {
    ended: oneshot::Sender<()>,
    task: JoinHandle<Vec<String>>,
}

impl LogReader {
    /// Starts to read, in the calling thread's runtime.
    pub(super) fn start(pipe: PipeReader, id: EntityId, book: Arc<LogBook>) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(pipe.into())?;
        let (ended, process_ended) = oneshot::channel();
        let task = tokio::spawn(Reading::new(id, book).run(pipe, process_ended));
        Ok(Self { ended, task })
    }

    /// The process ended: reads what it left in the pipe, and gives its last lines. Whoever else holds the pipe is not waited for.
    pub(super) async fn finish(self) -> Vec<String> {
        drop(self.ended);
        let stop = self.task.abort_handle();
        match timeout(REST_MAX, self.task).await {
            Ok(read) => read.unwrap_or_default(),
            Err(_late) => {
                stop.abort();
                Vec::new()
            }
        }
    }
}

struct Reading {
    id: EntityId,
    book: Arc<LogBook>,
    lines: Lines,
    tail: VecDeque<Vec<u8>>,
    window: Instant,
    in_window: u32,
    dropped: u64,
}

impl Reading {
    fn new(id: EntityId, book: Arc<LogBook>) -> Self {
        let tail = VecDeque::with_capacity(TAIL_LINES);
        let (lines, window) = (Lines::default(), Instant::now());
        Self { id, book, lines, tail, window, in_window: 0, dropped: 0 }
    }

    async fn run(mut self, pipe: Receiver, mut ended: oneshot::Receiver<()>) -> Vec<String> {
        let mut buffer = vec![0; READ_LEN];
        loop {
            tokio::select! {
                readable = pipe.readable() => if readable.is_err() { break },
                _ = &mut ended => break,
            }
            match pipe.try_read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => self.take(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            if self.in_window > LINES_MAX {
                sleep(FLOOD_PAUSE).await;
            }
        }
        let mut left = REST_LEN_MAX;
        while let Some(rest) = buffer.get_mut(..left.min(READ_LEN)).filter(|rest| !rest.is_empty())
            && let Ok(len @ 1..) = pipe.try_read(rest)
        {
            left -= len;
            self.take(&buffer[..len]);
        }
        self.finish()
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.window.elapsed() >= WINDOW {
            self.close_window();
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(bytes, |line| self.line(line));
        self.lines = lines;
    }

    fn line(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line[..line.len().min(lines::LINE_LEN_MAX)].to_vec());
        self.in_window = self.in_window.saturating_add(1);
        if self.in_window > LINES_MAX {
            self.dropped += 1;
            return;
        }
        let Line { level, message } = Line::parse(line);
        self.book.push(Some(self.id.clone()), level, message);
    }

    fn close_window(&mut self) {
        if self.dropped > 0 {
            let message = format!("{} further lines were not kept", self.dropped);
            self.book.push(Some(self.id.clone()), "warn", message);
        }
        (self.window, self.in_window, self.dropped) = (Instant::now(), 0, 0);
    }

    fn finish(mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(|line| self.line(line));
        self.close_window();
        let text = |line: Vec<u8>| printable(Line::parse(&line).message, TAIL_LINE_LEN_MAX);
        self.tail.into_iter().map(text).collect()
    }
}
