//! What a host must cut off.

use std::{hint::black_box, time::Duration, time::Instant};

use wasip2::http::types::{Fields, Method, OutgoingRequest};
use wattle::{Error, Request, Response, Result, keyvalue, link};

use crate::query;

/// Computes for `ms` milliseconds, by default for ever.
pub(crate) fn spin(request: &Request) -> Result<Response> {
    let end = match query::number(request, "ms", 0)? {
        0 => None,
        ms => Some(Instant::now() + Duration::from_millis(ms)),
    };
    let mut turns = 0_u64;
    loop {
        for _ in 0..1_000_000 {
            turns = black_box(turns.wrapping_mul(31).wrapping_add(7));
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(Response::text(format!("{turns}\n")));
        }
    }
}

/// Takes `bytes` of memory and touches them, by default all that there is and more.
pub(crate) fn alloc(request: &Request) -> Result<Response> {
    const STEP: u64 = 1024 * 1024;
    let bytes = query::number(request, "bytes", u64::MAX)?;
    let mut taken = Vec::new();
    let mut total = 0;
    while total < bytes {
        let len = STEP.min(bytes - total);
        taken.push(black_box(vec![1_u8; len as usize]));
        total += len;
    }
    Ok(Response::text(format!("{total}\n")))
}

/// Calls itself until a stack ends: the engine's own, or with `?frames=memory` the one that Rust keeps in linear memory, below
/// which there is nothing.
pub(crate) fn recurse(request: &Request) -> Result<Response> {
    let sum = match request.query("frames") {
        Some("memory") => in_memory(black_box(1)),
        _ => ackermann(black_box(4), black_box(2)),
    };
    Ok(Response::text(format!("{sum}\n")))
}

#[allow(unconditional_recursion, reason = "that is the point")]
fn in_memory(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    in_memory(frame[0] + 1) + black_box(frame)[15]
}

/// Its arguments fit into registers, so that no frame is kept in memory; for 4 and 2 it has 19,729 digits.
fn ackermann(m: u64, n: u64) -> u64 {
    match (m, n) {
        (0, n) => n + 1,
        (m, 0) => ackermann(m - 1, 1),
        (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
    }
}

/// Calls the key-value store `calls` times, by default for ever, without waiting for anything else.
pub(crate) fn flood(request: &Request) -> Result<Response> {
    let calls = query::number(request, "calls", u64::MAX)?;
    let bucket = keyvalue::open("default")?;
    let mut failed = 0_u64;
    for _ in 0..calls {
        failed += u64::from(bucket.get("flood").is_err());
    }
    Ok(Response::text(format!("{calls} calls, {failed} failed\n")))
}

/// Answers with `count` headers, by default 100 000.
pub(crate) fn headers(request: &Request) -> Result<Response> {
    let count = query::number(request, "count", 100_000)?;
    let answer = Response::text("many headers\n");
    Ok((0..count).fold(answer, |answer, n| answer.header(format!("x-header-{n}"), "value")))
}

/// Gives its host `count` names of `bytes` bytes to keep: as `what` says, of `targets` whose link it chooses, or of `methods` or
/// `authorities` of requests. Says how many were refused.
pub(crate) fn hoard(request: &Request) -> Result<Response> {
    let count = query::number(request, "count", 50)?;
    let bytes = query::number(request, "bytes", 8 * 1024 * 1024)?;
    let what = query::text(request, "what")?.unwrap_or_default();
    let (mut held, mut refused) = (Vec::new(), 0_u64);
    for number in 0..count {
        let name = format!("x{number}{}", "x".repeat(bytes as usize));
        let outgoing = OutgoingRequest::new(Fields::new());
        let taken = match what.as_str() {
            "targets" => {
                let target = format!("wasi:keyvalue/{name}");
                link::choose("other", &[target.as_str()]).is_ok()
            }
            "methods" => outgoing.set_method(&Method::Other(name)).is_ok(),
            "authorities" => outgoing.set_authority(Some(&name)).is_ok(),
            what => return Err(Error::msg(format!("no such thing: {what}"))),
        };
        refused += u64::from(!taken);
        held.push(outgoing);
    }
    Ok(Response::text(format!("{refused} of {} refused\n", held.len())))
}
