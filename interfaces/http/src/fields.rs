//! Header and trailer fields as bytes: a list of pairs, in order, values as they came.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};
use wattle_core::codec;

use crate::head::{HEAD_LEN_MAX, HttpHeadError};

/// The most fields of a head or of trailers: as many as hyper parses without allocating.
pub const HEADERS_MAX: usize = 100;

/// Trailers as bytes, for the end of a stream.
pub fn encode_trailers(trailers: &HeaderMap) -> Result<Vec<u8>, HttpHeadError> {
    let fields = Fields::of(trailers)?;
    let bytes = codec::encode(&fields);
    crate::head::within_limit(bytes)
}

/// The trailers that [`encode_trailers`] wrote.
pub fn decode_trailers(bytes: &[u8]) -> Result<HeaderMap, HttpHeadError> {
    header_map(codec::decode(bytes, HEAD_LEN_MAX)?)
}

/// The fields of a map that go on, ready to be written.
pub(crate) struct Fields<'a> {
    map: &'a HeaderMap,
    /// The value of `connection` where it names further fields to leave out.
    nominated: Option<&'a HeaderValue>,
    len: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(map: &'a HeaderMap) -> Result<Self, HttpHeadError> {
        let nominated = map.get(header::CONNECTION).filter(|value| names_fields(value));
        let mut fields = Self { map, nominated, len: 0 };
        fields.len = fields.iter().count();
        if fields.len > HEADERS_MAX {
            return Err(HttpHeadError::TooManyHeaders { count: fields.len });
        }
        Ok(fields)
    }

    fn iter(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let nominated = self.nominated;
        self.map
            .iter()
            .filter(move |(name, _)| !is_hop_by_hop(name) && !is_nominated(nominated, name))
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len))?;
        for (name, value) in self.iter() {
            list.serialize_element(&(name.as_str(), serde_bytes::Bytes::new(value.as_bytes())))?;
        }
        list.end()
    }
}

/// Fields as they stand in a message. The message's limit bounds how many there can be.
pub(crate) type RawFields<'a> = Vec<RawField<'a>>;

#[derive(Deserialize)]
pub(crate) struct RawField<'a>(#[serde(borrow)] &'a str, #[serde(borrow)] &'a serde_bytes::Bytes);

/// Checks each field and makes a map of them. Hop-by-hop fields are left out here too: what a peer did not leave out must
/// not reach a client's connection.
pub(crate) fn header_map(fields: RawFields<'_>) -> Result<HeaderMap, HttpHeadError> {
    if fields.len() > HEADERS_MAX {
        return Err(HttpHeadError::TooManyHeaders { count: fields.len() });
    }
    let mut map = HeaderMap::with_capacity(fields.len() + 1); // room for a request id
    for RawField(name, value) in fields {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| HttpHeadError::HeaderName)?;
        if is_hop_by_hop(&name) {
            continue;
        }
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| HttpHeadError::HeaderValue { name: name.clone() })?;
        map.append(name, value);
    }
    Ok(map)
}

/// Fields about one connection (RFC 9110, 7.6.1), which the next hop must not see. `te` says what a client can take, and
/// `expect` has been met by whoever read the body, so an actor needs neither.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "expect"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a `connection` field says more than the usual words.
fn names_fields(value: &HeaderValue) -> bool {
    !(value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
        || value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn is_nominated(connection: Option<&HeaderValue>, name: &HeaderName) -> bool {
    connection.and_then(|value| value.to_str().ok()).is_some_and(|list| {
        list.split(',').any(|token| token.trim().eq_ignore_ascii_case(name.as_str()))
    })
}
