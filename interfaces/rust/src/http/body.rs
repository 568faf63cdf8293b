//! Bodies: read as they come, written as fast as the other side takes them.

use std::{
    fmt,
    io::{self, Read, Write},
};

use wasip2::{
    http::types::IncomingBody,
    io::streams::{InputStream, OutputStream, StreamError},
};

/// The most bytes that are asked for at once: what is in memory of a body while it streams.
const CHUNK_LEN: u64 = 64 * 1024;

/// The body of what came in, to [`Read`] from or to take chunk by chunk.
pub struct Body {
    stream: Option<Open>,
    /// The part of a chunk that a short `read` left over.
    rest: Vec<u8>,
}

/// A stream is a child of its body, so it goes first.
struct Open {
    stream: InputStream,
    _body: Option<IncomingBody>,
}

impl Body {
    /// One that is already taken is empty.
    pub(super) fn new(body: Option<IncomingBody>) -> Self {
        let open = body.and_then(|body| {
            let stream = body.stream().ok()?;
            Some(Open { stream, _body: Some(body) })
        });
        Self { stream: open, rest: Vec::new() }
    }

    /// One that comes from somewhere else than HTTP.
    pub(crate) fn of_stream(stream: InputStream) -> Self {
        Self { stream: Some(Open { stream, _body: None }), rest: Vec::new() }
    }

    /// The next bytes, once there are any; nothing at the end.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        let Some(open) = &self.stream else { return Ok(None) };
        loop {
            match open.stream.blocking_read(CHUNK_LEN) {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => return Ok(Some(chunk)),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(error)) => return Err(broken(&error)),
            }
        }
    }

    /// The whole body, which must have at most `max` bytes.
    pub fn bytes(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk()? {
            if all.len() + chunk.len() > max {
                let text = format!("body of more than {max} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut chunk) = self.chunk()? else { return Ok(0) };
        let taken = chunk.len().min(buffer.len());
        self.rest = chunk.split_off(taken);
        buffer[..taken].copy_from_slice(&chunk);
        Ok(taken)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Where a streamed body is written. Writing waits while whoever reads it, or the way there, is slow.
pub struct BodyWriter {
    stream: OutputStream,
}

impl BodyWriter {
    pub(crate) fn new(stream: OutputStream) -> Self {
        Self { stream }
    }

    /// How many bytes the stream takes now: waits until it is at least one.
    fn room(&mut self) -> io::Result<usize> {
        loop {
            match self.stream.check_write().map_err(|error| closed(&error))? {
                0 => self.stream.subscribe().block(),
                room => return Ok(usize::try_from(room).unwrap_or(usize::MAX)),
            }
        }
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let len = self.room()?.min(bytes.len());
        self.stream.write(&bytes[..len]).map_err(|error| closed(&error))?;
        Ok(len)
    }

    /// Waits until everything written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        self.stream.blocking_flush().map_err(|error| closed(&error))
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter").finish_non_exhaustive()
    }
}

fn closed(error: &StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::ErrorKind::BrokenPipe.into(),
        StreamError::LastOperationFailed(error) => broken(error),
    }
}

fn broken(error: &wasip2::io::error::Error) -> io::Error {
    io::Error::other(error.to_debug_string())
}
