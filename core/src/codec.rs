//! The one place where values become bytes and bytes become values: MessagePack with named fields.

use std::marker::PhantomData;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, IgnoredAny},
};

/// Why bytes are not the value that was expected.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than this kind of message may have.
    #[error("message of {len} bytes, the limit is {max}")]
    TooLarge {
        /// Bytes that came.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not MessagePack, or not of this shape.
    #[error("malformed message: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// Bytes were left over behind the value.
    #[error("bytes behind the end of the message")]
    Trailing,
}

/// Nested deeper than this is refused: our messages are shallow, and a decoder's stack is finite.
pub const DEPTH_MAX: usize = 64;

/// A value as bytes. Fields are written by name, so that the next version may add some.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("our messages have no maps with unserialisable keys")
}

/// The value in `bytes`, which must be all of it and at most `max` bytes long.
pub fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8], max: usize) -> Result<T, DecodeError> {
    decode_with(PhantomData, bytes, max)
}

/// The same for a value whose type is known only at run time: `seed` reads it.
pub fn decode_with<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    max: usize,
) -> Result<S::Value, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLarge { len: bytes.len(), max });
    }
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(DEPTH_MAX);
    let value = seed.deserialize(&mut decoder)?;
    // The decoder does not tell its position, but only at the end is there no further marker to read.
    match IgnoredAny::deserialize(&mut decoder) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(error))
            if error.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            Ok(value)
        }
        _ => Err(DecodeError::Trailing),
    }
}

/// For `#[serde(with)]`: bytes, which are bytes on the wire and base64 in the JSON of a token, where a list of numbers would be
/// four times as long.
pub mod bytes {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Writes the bytes.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            STANDARD_NO_PAD.encode(bytes).serialize(serializer)
        } else {
            serde_bytes::serialize(bytes, serializer)
        }
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)
        } else {
            serde_bytes::deserialize(deserializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        let value = (1_u32, "two".to_owned(), vec![Some(3_u8), None]);
        let bytes = encode(&value);
        assert_eq!(
            decode::<(u32, String, Vec<Option<u8>>)>(&bytes, 100).expect("round trip"),
            value
        );
    }

    #[test]
    fn too_long_too_deep_and_left_over_bytes_are_refused() {
        assert!(matches!(decode::<u8>(&[1, 1], 1), Err(DecodeError::TooLarge { len: 2, max: 1 })));
        assert!(matches!(decode::<u8>(&[1, 1], 9), Err(DecodeError::Trailing)));
        let nested = [0x91_u8; 100_000];
        assert!(matches!(decode::<IgnoredAny>(&nested, 1 << 20), Err(DecodeError::Malformed(_))));
    }
}
