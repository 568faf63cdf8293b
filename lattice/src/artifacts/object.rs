//! What an object store says of an object: JSON as NATS's tools read and write it.

use async_nats::{
    datetime,
    jetstream::object_store::{ObjectInfo, ObjectOptions},
};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use rand::Rng;
use wattle_core::Digest;

/// The most bytes of an object's JSON: ours has about 400.
const OBJECT_LEN_MAX: usize = 16 * 1024;
/// The most bytes of the id by which an object finds its chunks.
const ID_LEN_MAX: usize = 64;

/// An object's description, of a shape that can be acted on.
pub(super) struct Object(ObjectInfo);

impl Object {
    /// The description of an artifact that is about to be uploaded, with an id of its own.
    pub(super) fn new(bucket: &str, digest: &Digest, len: usize, chunk_len: usize) -> Self {
        let id: u128 = rand::rng().random();
        Self(ObjectInfo {
            name: digest.hex(),
            description: None,
            metadata: std::collections::HashMap::default(),
            headers: None,
            options: Some(ObjectOptions { link: None, max_chunk_size: Some(chunk_len) }),
            bucket: bucket.to_owned(),
            nuid: format!("{id:032x}"),
            size: len,
            chunks: len.div_ceil(chunk_len),
            modified: Some(datetime::now()),
            digest: Some(format!("SHA-256={}", URL_SAFE.encode(digest.as_bytes()))),
            deleted: false,
        })
    }

    /// Nothing, if it is not a description of chunks of its own. A link to another object never is ours, and following one that
    /// somebody else made could go in circles.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > OBJECT_LEN_MAX {
            return None;
        }
        let info: ObjectInfo = serde_json::from_slice(text).ok()?;
        let links = info.options.as_ref().is_some_and(|options| options.link.is_some());
        let id = &info.nuid;
        // The id becomes part of a subject.
        let plain = (1..=ID_LEN_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (!links && plain).then_some(Self(info))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("an object's description is JSON")
    }

    /// Where the description of an artifact stands.
    pub(super) fn subject(bucket: &str, digest: &Digest) -> String {
        format!("$O.{bucket}.M.{}", URL_SAFE.encode(digest.hex()))
    }

    /// Where its chunks stand.
    pub(super) fn chunks_subject(&self, bucket: &str) -> String {
        format!("$O.{bucket}.C.{}", self.0.nuid)
    }

    pub(super) fn len(&self) -> usize {
        self.0.size
    }

    pub(super) fn chunks(&self) -> usize {
        self.0.chunks
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.0.deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        Object::new("b", &Digest::from_bytes([7; 32]), 300_000, 131_072)
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let read = Object::parse(&object().encode()).expect("ours");
        assert_eq!((read.len(), read.chunks(), read.is_deleted()), (300_000, 3, false));
        assert_eq!(read.0.name.len(), 64);
    }

    #[test]
    fn hostile_descriptions_are_refused() {
        let link =
            r#"{"name":"x","bucket":"b","nuid":"a","options":{"link":{"name":"x","bucket":"b"}}}"#;
        assert!(Object::parse(link.as_bytes()).is_none());
        for id in ["", ">", "*", "a.b", "a b", &"a".repeat(65)] {
            let text = serde_json::json!({ "name": "x", "bucket": "b", "nuid": id }).to_string();
            assert!(Object::parse(text.as_bytes()).is_none(), "{id:?}");
        }
        assert!(Object::parse(&vec![b'['; 1 << 20]).is_none());
        assert!(Object::parse(b"[[[[").is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            let _ = Object::parse(&text);
        }
    }
}
