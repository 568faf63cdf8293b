//! One HTTP request, without a client library: xtask compiles first and needs little.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The body of what `url` answers, if it is a success. HTTP/1.0 is asked for, so that the body ends with the connection.
pub(crate) fn get(url: &str) -> Result<String> {
    let rest = url.strip_prefix("http://").context("only http:// is spoken here")?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWER_MAX))?;
    write!(socket, "GET /{path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut response = String::new();
    socket.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").context("a response without a head")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{url}: {status}: {}", body.trim_end());
    Ok(body.to_owned())
}
