//! Requests to the web, over `wasi:http/outgoing-handler`.

use std::{fmt, io, time::Duration};

use wasip2::http::{
    outgoing_handler,
    types::{
        ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
        Scheme,
    },
};

use super::{Body, BodyWriter};

/// A request for this address, `https://api.example.com/items`.
pub fn get(url: impl Into<String>) -> Outgoing {
    Outgoing::new("GET", url)
}

/// A request that sends these bytes, without a content type.
pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing::new("POST", url).body(body)
}

/// A request to the web. The actor's link says which are allowed: `allowed-hosts`.
pub struct Outgoing {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Content,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
}

/// Writes a body while it is sent.
type Writer = Box<dyn FnOnce(&mut BodyWriter) -> io::Result<()>>;

enum Content {
    None,
    Full(Vec<u8>),
    Stream(Writer),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum SendError {
    /// What the request says of itself makes none: its address, a header.
    Request(String),
    /// It got no answer.
    Code(ErrorCode),
    /// Its own body broke off.
    Body(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(why) => f.write_str(why),
            Self::Code(code) => code.fmt(f),
            Self::Body(error) => write!(f, "the request's body: {error}"),
        }
    }
}

impl std::error::Error for SendError {}

impl From<ErrorCode> for SendError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl Outgoing {
    /// A request with this method, in upper case.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Content::None,
            connect_timeout: None,
            timeout: None,
        }
    }

    /// The same with one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Content::Full(body.into()), ..self }
    }

    /// The same with a body of any length, written while it is sent. All of it is written before the answer is looked at, so an
    /// answer that is itself long must not depend on being read meanwhile.
    pub fn stream(self, write: impl FnOnce(&mut BodyWriter) -> io::Result<()> + 'static) -> Self {
        Self { body: Content::Stream(Box::new(write)), ..self }
    }

    /// The same, waiting at most so long for a connection.
    pub fn connect_timeout(self, time: Duration) -> Self {
        Self { connect_timeout: Some(time), ..self }
    }

    /// The same, waiting at most so long for the head of the answer.
    pub fn timeout(self, time: Duration) -> Self {
        Self { timeout: Some(time), ..self }
    }

    /// Sends it, and waits for the head of the answer. Redirects are answers like others: to follow one is a request of its own,
    /// which the link has to allow as well.
    pub fn send(self) -> Result<Answer, SendError> {
        let request = self.request()?;
        let options = self.options()?;
        // Without anything to send there is no body: an empty one would be sent as such.
        let body = match &self.body {
            Content::None => None,
            _ => Some(request.body().expect("a new request still has its body")),
        };
        let response = outgoing_handler::handle(request, options)?;
        // A body that breaks off fails the request as well, and how that failed may say more.
        let written = body.map_or(Ok(()), |body| write(self.body, body));
        response.subscribe().block();
        let answered = response.get().expect("it is ready").expect("it is taken once");
        match (answered, written) {
            (Ok(answer), _) => Ok(Answer { inner: answer }),
            (Err(ErrorCode::InternalError(_)), Err(error)) => Err(SendError::Body(error)),
            (Err(code), _) => Err(code.into()),
        }
    }

    fn request(&self) -> Result<OutgoingRequest, SendError> {
        let wrong = |what: &str| SendError::Request(format!("{what}: {:?}", self.url));
        let (scheme, rest) = self.url.split_once("://").ok_or_else(|| wrong("no scheme"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let mut headers = self.headers.clone();
        if let Content::Full(bytes) = &self.body {
            headers.push(("content-length".to_owned(), bytes.len().to_string().into()));
        }
        let fields = Fields::from_list(&headers)
            .map_err(|error| SendError::Request(format!("the request's headers: {error}")))?;
        let request = OutgoingRequest::new(fields);
        request.set_method(&method(&self.method)).map_err(|()| wrong("no such method"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| wrong("no such scheme"))?;
        request.set_authority(Some(authority)).map_err(|()| wrong("no host"))?;
        request.set_path_with_query(Some(&path)).map_err(|()| wrong("no such path"))?;
        Ok(request)
    }

    fn options(&self) -> Result<Option<RequestOptions>, SendError> {
        if self.connect_timeout.is_none() && self.timeout.is_none() {
            return Ok(None);
        }
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let refused = |()| SendError::Request("the time to wait is not taken".to_owned());
        let options = RequestOptions::new();
        options.set_connect_timeout(self.connect_timeout.map(nanoseconds)).map_err(refused)?;
        options.set_first_byte_timeout(self.timeout.map(nanoseconds)).map_err(refused)?;
        Ok(Some(options))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("method", &self.method).finish_non_exhaustive()
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn write(content: Content, body: OutgoingBody) -> io::Result<()> {
    let mut writer = BodyWriter::new(body.write().expect("a new body still has its stream"));
    match content {
        Content::None => {}
        Content::Full(bytes) => io::Write::write_all(&mut writer, &bytes)?,
        Content::Stream(write) => write(&mut writer)?,
    }
    drop(writer); // a child of the body, which can only be finished without it
    OutgoingBody::finish(body, None).map_err(|code| io::Error::other(code.to_string()))
}

/// What came back: its head, and a body that is still on its way.
#[derive(Debug)]
pub struct Answer {
    inner: IncomingResponse,
}

impl Answer {
    /// The status: 200.
    pub fn status(&self) -> u16 {
        self.inner.status()
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<String> {
        String::from_utf8(self.inner.headers().get(name).into_iter().next()?).ok()
    }

    /// All headers, in no promised order.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.inner.headers().entries()
    }

    /// The body, to read as it comes. It is there once: whoever comes second gets an empty one.
    pub fn body(&self) -> Body {
        Body::new(self.inner.consume().ok())
    }
}
