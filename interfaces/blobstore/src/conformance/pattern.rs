//! Bytes that are known by their place, so that a gigabyte is made and checked without being kept.

use std::task::{Context, Poll};

use bytes::Bytes;
use wattle_wire::{Body, ChunkSource, StreamError};

/// Bytes of one chunk: those of a frame on the wire.
const CHUNK_LEN: u64 = 64 * 1024;

/// An endless row of bytes; each seed has its own.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    seed: u64,
    at: u64,
}

impl Pattern {
    /// The row of this seed, from its beginning.
    pub fn new(seed: u64) -> Self {
        Self { seed, at: 0 }
    }

    /// The same row from another place on.
    pub fn skip(self, bytes: u64) -> Self {
        Self { at: self.at + bytes, ..self }
    }

    /// The next bytes of it.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let start = self.at;
        self.at += len as u64;
        (start..self.at).map(|at| byte(self.seed, at)).collect()
    }

    /// Whether these are its next bytes.
    pub fn is_next(&mut self, bytes: &[u8]) -> bool {
        let start = self.at;
        self.at += bytes.len() as u64;
        (start..self.at).zip(bytes).all(|(at, found)| byte(self.seed, at) == *found)
    }

    /// So many of its bytes, as a body that is made while it is read.
    pub fn body(self, len: u64) -> Body {
        Body::new(Made { row: self, left: len })
    }

    /// How many bytes a body has, all of which must be the row's.
    ///
    /// # Errors
    /// The body's.
    ///
    /// # Panics
    /// A byte is another's.
    pub async fn check(mut self, body: &mut Body) -> Result<u64, StreamError> {
        let start = self.at;
        while let Some(chunk) = body.chunk().await.transpose()? {
            let place = self.at;
            assert!(self.is_next(&chunk), "other bytes behind byte {place}");
        }
        Ok(self.at - start)
    }
}

/// The high bits of a product: each place has its own, and neighbours have nothing in common.
fn byte(seed: u64, at: u64) -> u8 {
    let mixed = (at ^ seed.rotate_left(32)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_be_bytes()[0]
}

struct Made {
    row: Pattern,
    left: u64,
}

impl ChunkSource for Made {
    fn poll_chunk(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let len = self.left.min(CHUNK_LEN);
        self.left -= len;
        let len = usize::try_from(len).expect("a chunk is small");
        Poll::Ready((len > 0).then(|| Ok(self.row.take(len).into())))
    }
}
