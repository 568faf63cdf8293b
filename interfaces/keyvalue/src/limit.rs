//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts.

use wattle_core::call::PARAMS_LEN_MAX;

use crate::error::Failure;

/// The most bytes of a bucket's identifier.
pub const BUCKET_LEN_MAX: usize = 255;

/// The most bytes of a key. Keys have at least one.
pub const KEY_LEN_MAX: usize = 4 * 1024;

/// Bytes of a message's parameters that are not the value: bucket, key, field names and lengths.
const ENVELOPE_LEN: usize = 8 * 1024;

/// The most bytes of a value: what fits beside the rest of a message.
pub const VALUE_LEN_MAX: usize = PARAMS_LEN_MAX - ENVELOPE_LEN;

/// The most keys of one batch. Keys and values together must fit in one message, too.
pub const BATCH_KEYS_MAX: usize = 10_000;

/// The most keys that a store puts on one page of a listing.
pub const PAGE_KEYS_MAX: usize = 1_000;

/// A page of a listing ends once it has this many bytes of keys, so that a page of long keys fits in a message.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Whether this can be a bucket's identifier.
pub fn check_bucket(bucket: &str) -> Result<(), Failure> {
    check("bucket identifier", bucket.len(), BUCKET_LEN_MAX)
}

/// Whether this can be a key.
pub fn check_key(key: &str) -> Result<(), Failure> {
    if key.is_empty() {
        return Err(Failure::other("a key has at least one character"));
    }
    check("key", key.len(), KEY_LEN_MAX)
}

/// Whether this can be a value.
pub fn check_value(value: &[u8]) -> Result<(), Failure> {
    check_value_len(value.len())
}

/// Whether a value can be this long. A store asks before it reads what others may have set.
pub fn check_value_len(len: usize) -> Result<(), Failure> {
    check("value", len, VALUE_LEN_MAX)
}

/// Whether a batch may have this many keys.
pub fn check_batch(keys: usize) -> Result<(), Failure> {
    if keys > BATCH_KEYS_MAX {
        let text = format!("batch of {keys} keys, the limit is {BATCH_KEYS_MAX}: split it");
        return Err(Failure::too_large(text));
    }
    Ok(())
}

/// Whether the values of a batch, this many bytes in all, fit in its answer. A store asks before it reads them.
pub fn check_found(len: usize) -> Result<(), Failure> {
    check("values of this batch", len, PARAMS_LEN_MAX)
}

/// Whether parameters or a result fit in a message.
pub(crate) fn check_message(what: &str, len: usize) -> Result<(), Failure> {
    check(what, len, PARAMS_LEN_MAX)
}

fn check(what: &str, len: usize, max: usize) -> Result<(), Failure> {
    if len > max {
        return Err(Failure::too_large(format!("{what} of {len} bytes, the limit is {max}")));
    }
    Ok(())
}
