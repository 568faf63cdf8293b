//! What came in.

use wasip2::http::types::{IncomingRequest, Method};

use super::Body;

/// A request. Its body is still on its way, and is read as it comes.
#[derive(Debug)]
pub struct Request {
    inner: IncomingRequest,
    path_with_query: String,
}

impl From<IncomingRequest> for Request {
    fn from(inner: IncomingRequest) -> Self {
        let path_with_query = inner.path_with_query().unwrap_or_else(|| "/".to_owned());
        Self { inner, path_with_query }
    }
}

impl Request {
    /// The method in upper case: `GET`.
    pub fn method(&self) -> String {
        match self.inner.method() {
            Method::Get => "GET".to_owned(),
            Method::Head => "HEAD".to_owned(),
            Method::Post => "POST".to_owned(),
            Method::Put => "PUT".to_owned(),
            Method::Delete => "DELETE".to_owned(),
            Method::Connect => "CONNECT".to_owned(),
            Method::Options => "OPTIONS".to_owned(),
            Method::Trace => "TRACE".to_owned(),
            Method::Patch => "PATCH".to_owned(),
            Method::Other(name) => name,
        }
    }

    /// The path, as it was sent: `/counters/a%20b`.
    pub fn path(&self) -> &str {
        self.path_with_query.split_once('?').map_or(&self.path_with_query, |(path, _)| path)
    }

    /// The first value of a query parameter, as it was sent: percent signs are not decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path_with_query.split_once('?')?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<String> {
        String::from_utf8(self.inner.headers().get(name).into_iter().next()?).ok()
    }

    /// All headers, in no promised order.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.inner.headers().entries()
    }

    /// The body, to read or to answer with. It is there once: whoever comes second gets an empty one.
    pub fn body(&self) -> Body {
        Body::new(self.inner.consume().ok())
    }
}
