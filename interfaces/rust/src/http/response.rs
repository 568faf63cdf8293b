//! What goes out.

use std::{fmt, io};

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

use super::BodyWriter;
use crate::{Error, Result};

/// Writes a body while it is sent.
type Writer = Box<dyn FnOnce(&mut BodyWriter) -> io::Result<()>>;

/// An answer: 200 unless said otherwise.
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Content,
}

enum Content {
    Full(Vec<u8>),
    Stream(Writer),
}

impl Response {
    /// These bytes, without a content type.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: Content::Full(body.into()) }
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(text.into()).header("content-type", "text/plain; charset=utf-8")
    }

    /// JSON that is already text.
    pub fn json(json: impl Into<String>) -> Self {
        Self::new(json.into()).header("content-type", "application/json")
    }

    /// A body of any length, written while it is sent. Where `write` fails, the client sees the answer break off.
    pub fn stream(write: impl FnOnce(&mut BodyWriter) -> io::Result<()> + 'static) -> Self {
        let body = Content::Stream(Box::new(write));
        Self { status: 200, headers: Vec::new(), body }
    }

    /// The same with this status.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same with one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends the head, then the body.
    fn send(mut self, out: ResponseOutparam) -> Result<()> {
        if let Content::Full(bytes) = &self.body {
            self.headers.push(("content-length".to_owned(), bytes.len().to_string().into()));
        }
        let fields = match Fields::from_list(&self.headers) {
            Ok(fields) => fields,
            Err(error) => return refuse(out, format!("the answer's headers: {error}")),
        };
        let response = OutgoingResponse::new(fields);
        if response.set_status_code(self.status).is_err() {
            return refuse(out, format!("no such status: {}", self.status));
        }
        let body = response.body().expect("a new response still has its body");
        ResponseOutparam::set(out, Ok(response));
        let mut writer = BodyWriter::new(body.write().expect("a new body still has its stream"));
        match self.body {
            Content::Full(bytes) => io::Write::write_all(&mut writer, &bytes)?,
            Content::Stream(write) => write(&mut writer)?,
        }
        drop(writer); // a child of the body, which can only be finished without it
        Ok(OutgoingBody::finish(body, None)?)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends what a handler returned. A body that breaks off is no reason to trap: the client sees it, and the log says why.
#[doc(hidden)]
pub fn answer(out: ResponseOutparam, result: Result<Response>) {
    let response = result.unwrap_or_else(|error| {
        eprintln!("{error}");
        Response::text("the actor failed\n").status(500)
    });
    if let Err(error) = response.send(out) {
        eprintln!("{error}");
    }
}

/// Answers that the answer itself was wrong.
fn refuse(out: ResponseOutparam, why: String) -> Result<()> {
    let response = OutgoingResponse::new(Fields::new());
    if response.set_status_code(500).is_ok() {
        ResponseOutparam::set(out, Ok(response));
    }
    Err(Error::msg(why))
}
