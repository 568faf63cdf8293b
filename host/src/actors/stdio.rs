//! What an actor prints: lines of its log.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use super::Actor;

/// Bytes of a line that are kept; the rest of it is dropped.
const LINE_LEN_MAX: usize = 4 * 1024;

/// Bytes that a guest may write at once.
const WRITE_LEN_MAX: usize = 64 * 1024;

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
        Box::new(Lines { actor: self.0.clone(), line: Vec::new() })
    }
}

/// Collects what is written into lines.
struct Lines {
    actor: Arc<Actor>,
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.actor.log("info", String::from_utf8_lossy(&self.line).into_owned());
            self.line.clear();
        }
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
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
