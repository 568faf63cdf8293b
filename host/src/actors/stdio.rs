//! What an actor prints: lines of its log.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};
use wattle_core::EntityId;

use super::Actor;
use crate::logbook::LogBook;

/// Bytes of a line that are kept; the rest of it is dropped.
const LINE_LEN_MAX: usize = 4 * 1024;

/// Bytes that a guest may write at once. Each may be a line of the log, and until all are there nobody else has the thread.
const WRITE_LEN_MAX: usize = 4 * 1024;

/// Standard output or standard error of one instance.
#[derive(Clone)]
pub(crate) struct ActorOutput(Arc<Actor>);

impl ActorOutput {
    pub(crate) fn new(actor: &Arc<Actor>) -> Self {
        Self(actor.clone())
    }
}

impl IsTerminal for ActorOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ActorOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        let (id, logbook) = (self.0.id.clone(), self.0.logbook.clone());
        Box::new(Lines { id, logbook, line: Vec::new() })
    }
}

/// Collects what is written into lines.
struct Lines {
    id: EntityId,
    logbook: Arc<LogBook>,
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.logbook.push(Some(self.id.clone()), "info", line);
            self.line.clear();
        }
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_LEN_MAX {
            return Err(StreamError::trap("the guest wrote more than it was allowed to"));
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_LEN_MAX - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_LEN_MAX)
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use wattle_core::control::LogQuery;

    use super::*;

    #[test]
    fn what_is_written_within_the_permit_is_lines_and_what_is_past_it_ends_the_guest() {
        let logbook = Arc::new(LogBook::new());
        let id: EntityId = "cart".parse().expect("an id");
        let mut lines = Lines { id, logbook: logbook.clone(), line: Vec::new() };
        let permit = lines.check_write().expect("it is open");
        let long = Bytes::from(vec![b'x'; permit]);
        for text in [Bytes::from_static(b"one\ntw"), Bytes::from_static(b"o\n"), long] {
            lines.write(text).expect("it is within the permit");
        }
        let refused = lines.write(vec![b'\n'; permit + 1].into());
        assert!(matches!(refused, Err(StreamError::Trap(_))), "{refused:?}");
        drop(lines);
        let page = logbook.page(&LogQuery { lines: 10, ..LogQuery::default() });
        let lines: Vec<&str> = page.lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(lines, ["one", "two", "x".repeat(permit).as_str()]);
    }
}
