//! A provider that speaks nonsense: random bytes, frames of every kind with random contents, lengths that promise gigabytes. What
//! it says differs from start to start. It never reads.

use std::{
    fs::File,
    io::{self, Write},
    mem::ManuallyDrop,
    os::fd::{AsFd, OwnedFd},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

/// How much it says before it ends by itself: a host that goes on listening has failed long before.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Kinds of frames; one more than there are, so that some are of none.
const KINDS: u64 = 12;

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    /// A frame whose header is right, but for what it says about the rest.
    fn frame(&mut self) -> Vec<u8> {
        let payload = self.next() % 300;
        let payload = self.bytes(payload as usize);
        let promised = match self.next() % 4 {
            0 => u32::MAX,
            _ => payload.len() as u32 + 8,
        };
        let kind = (self.next() % KINDS) as u8 | (self.next() as u8 & 0x70);
        let mut frame = promised.to_le_bytes().to_vec();
        frame.extend_from_slice(&[1, kind]);
        frame.extend_from_slice(&self.bytes(6));
        frame.extend_from_slice(&payload);
        frame
    }
}

fn main() -> io::Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut noise = Noise(since.as_nanos() as u64 ^ (u64::from(process::id()) << 32) | 1);
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = ManuallyDrop::new(File::from(socket));
    let speaks_frames = !noise.next().is_multiple_of(4);
    let mut said = 0;
    while said < BYTES_MAX {
        let words = if speaks_frames { noise.frame() } else { noise.bytes(4_096) };
        said += words.len();
        socket.write_all(&words)?;
    }
    Ok(())
}
