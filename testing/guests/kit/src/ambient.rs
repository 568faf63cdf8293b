//! What every component has, and what it must not have.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use wattle::{Request, Response, Result};

use crate::query;

/// Which call of this instance it is: always the first, where each call gets a fresh one.
pub(crate) fn fresh() -> Result<Response> {
    static CALLS: AtomicU32 = AtomicU32::new(1);
    Ok(Response::text(format!("{}\n", CALLS.fetch_add(1, Ordering::Relaxed))))
}

/// Waits for `ms` milliseconds without computing.
pub(crate) fn sleep(request: &Request) -> Result<Response> {
    std::thread::sleep(Duration::from_millis(query::number(request, "ms", 1_000)?));
    Ok(Response::text("slept\n"))
}

/// The request's head as the actor sees it: method, path and query, then the headers in order of their names.
pub(crate) fn head(request: &Request) -> Result<Response> {
    let mut text = format!("{} {}\n", request.method(), request.path());
    let mut headers = request.headers();
    headers.sort();
    for (name, value) in headers {
        writeln!(text, "{name}: {}", String::from_utf8_lossy(&value))?;
    }
    Ok(Response::text(text))
}

/// Arguments and environment variables: none of the host's.
pub(crate) fn environment() -> Result<Response> {
    let mut text = String::new();
    for argument in std::env::args() {
        writeln!(text, "{argument}")?;
    }
    for (name, value) in std::env::vars() {
        writeln!(text, "{name}={value}")?;
    }
    Ok(Response::text(text))
}

/// Reads a file that every Linux has, which must fail.
pub(crate) fn file() -> Result<Response> {
    Ok(Response::text(match std::fs::read_to_string("/etc/hostname") {
        Ok(_) => "read\n".to_owned(),
        Err(error) => format!("refused: {error}\n"),
    }))
}

/// Connects to the machine itself, which must fail.
pub(crate) fn socket() -> Result<Response> {
    Ok(Response::text(match std::net::TcpStream::connect("127.0.0.1:4222") {
        Ok(_) => "connected\n".to_owned(),
        Err(error) => format!("refused: {error}\n"),
    }))
}
