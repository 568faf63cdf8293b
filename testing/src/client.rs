//! An HTTP/1.1 client that does what it is told: reads slowly, stops half way, keeps or drops its connection.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    time::timeout,
};

/// A response's head and body up to these sizes; tests expect no larger ones but read them piece by piece.
const LINE_LEN_MAX: usize = 64 * 1024;
const READ_LEN: usize = 64 * 1024;

/// Beyond this a test hangs, whatever it tests.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A whole response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    After(u64),
    Chunked,
    WithConnection,
    Ended,
}

/// One connection, used for one request after another.
pub struct Connection {
    stream: BufStream<TcpStream>,
    host: String,
    ending: Ending,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = BufStream::new(stream);
        Ok(Self { stream, host: address.to_owned(), ending: Ending::Ended })
    }

    /// Sends a request's head; a body of `length` bytes is then for [`Self::write`].
    pub async fn send_head(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: u64,
    ) -> Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if length > 0 || !matches!(method, "GET" | "HEAD") {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Sends part of the request's body, or any bytes at all.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Reads the response's head; its body is then for [`Self::chunk`].
    pub async fn head(&mut self) -> Result<Response> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("not a status line: {status_line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let response = Response { status, headers, body: Vec::new() };
        self.ending = ending(&response)?;
        Ok(response)
    }

    /// The next piece of the response's body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        match self.ending {
            Ending::Ended => Ok(None),
            Ending::After(0) => {
                self.ending = Ending::Ended;
                Ok(None)
            }
            Ending::After(left) => {
                let bytes = self.read(left).await?;
                ensure!(!bytes.is_empty(), "the body broke off {left} bytes before its end");
                self.ending = Ending::After(left - bytes.len() as u64);
                Ok(Some(bytes))
            }
            Ending::WithConnection => {
                let bytes = self.read(READ_LEN as u64).await?;
                Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            Ending::Chunked => self.encoded_chunk().await,
        }
    }

    async fn encoded_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line().await?;
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)
            .with_context(|| format!("not a chunk's length: {line:?}"))?;
        if length == 0 {
            while !self.line().await?.is_empty() {}
            self.ending = Ending::Ended;
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.context("the body broke off")?;
        ensure!(self.line().await?.is_empty(), "a chunk is longer than it says");
        Ok(Some(bytes))
    }

    async fn read(&mut self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(most).map_or(READ_LEN, |most| most.min(READ_LEN))];
        let length = self.stream.read(&mut bytes).await?;
        bytes.truncate(length);
        Ok(bytes)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read =
            (&mut self.stream).take(LINE_LEN_MAX as u64).read_until(b'\n', &mut line).await?;
        ensure!(read > 0, "the connection was closed");
        ensure!(line.ends_with(b"\r\n"), "not a line: {:?}", String::from_utf8_lossy(&line));
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line)?)
    }

    /// One whole request and its whole response.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response> {
        let exchange = async {
            self.send_head(method, path, headers, body.len() as u64).await?;
            if !body.is_empty() {
                self.write(body).await?;
            }
            let mut response = self.head().await?;
            if method != "HEAD" {
                while let Some(chunk) = self.chunk().await? {
                    response.body.extend_from_slice(&chunk);
                }
            }
            Ok(response)
        };
        match timeout(ANSWER_MAX, exchange).await {
            Ok(response) => response,
            Err(_) => bail!("no answer to {method} {path} within {ANSWER_MAX:?}"),
        }
    }
}

fn ending(response: &Response) -> Result<Ending> {
    if matches!(response.status, 204 | 304 | 100..=199) {
        return Ok(Ending::Ended);
    }
    if response.header("transfer-encoding") == Some("chunked") {
        return Ok(Ending::Chunked);
    }
    match response.header("content-length") {
        Some(length) => Ok(Ending::After(length.parse()?)),
        None => Ok(Ending::WithConnection),
    }
}

/// One request on a connection of its own.
pub async fn http(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    Connection::open(address).await?.request(method, path, headers, body).await
}
