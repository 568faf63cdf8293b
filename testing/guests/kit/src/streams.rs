//! Bodies of any length.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use wattle::{Request, Response, Result};

use crate::query;

/// Answers with the request's body, while it comes.
pub(crate) fn echo(request: &Request) -> Result<Response> {
    let mut body = request.body();
    Ok(Response::stream(move |out| {
        while let Some(chunk) = body.chunk()? {
            out.write_all(&chunk)?;
        }
        Ok(())
    }))
}

/// Reads the whole body and answers with its SHA-256 in hex.
pub(crate) fn sink(request: &Request) -> Result<Response> {
    let mut body = request.body();
    let mut hash = Sha256::new();
    while let Some(chunk) = body.chunk()? {
        hash.update(&chunk);
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Response::text(hex))
}

/// `bytes` bytes: 64-bit little-endian words, the n-th (from 0) being splitmix64's output for the state n.
pub(crate) fn source(request: &Request) -> Result<Response> {
    const BLOCK_LEN: usize = 64 * 1024;
    let bytes = query::number(request, "bytes", 1024)?;
    Ok(Response::stream(move |out| {
        let mut block = vec![0_u8; BLOCK_LEN];
        let mut sent = 0;
        while sent < bytes {
            for (word, n) in block.chunks_exact_mut(8).zip(sent / 8..) {
                word.copy_from_slice(&splitmix64(n).to_le_bytes());
            }
            let len = usize::try_from(bytes - sent).map_or(BLOCK_LEN, |left| left.min(BLOCK_LEN));
            out.write_all(&block[..len])?;
            sent += len as u64;
        }
        Ok(())
    })
    .header("content-length", bytes.to_string()))
}

/// Says that it sends `bytes` and breaks off half way.
pub(crate) fn half(request: &Request) -> Result<Response> {
    let bytes = query::number(request, "bytes", 128 * 1024)?;
    let half = vec![b'x'; (bytes / 2) as usize];
    let answer = Response::stream(move |out| {
        out.write_all(&half)?;
        out.flush()?;
        Err(io::Error::other("asked to break off"))
    });
    Ok(answer.header("content-length", bytes.to_string()))
}

fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
