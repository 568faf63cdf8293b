//! Keys and values that outlive the request: `wasi:keyvalue`, whichever store the actor is linked to. A store that is linked to the
//! actor tells it of [changes](crate::watch!).

#[doc(hidden)]
pub mod watch;

pub use self::watch::Change;
use crate::bindings::keyvalue::{atomics, batch, store};
pub use store::Error;

/// A named set of keys.
#[derive(Debug)]
pub struct Bucket(store::Bucket);

/// Opens a bucket. Buckets need not be made first; `default` is the store's own.
pub fn open(bucket: &str) -> Result<Bucket, Error> {
    store::open(bucket).map(Bucket)
}

impl Bucket {
    /// The value of `key`, if it has one.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(key)
    }

    /// Keeps `value` under `key`; it is as safe as the store can make it when this returns.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.0.set(key, value.as_ref())
    }

    /// Forgets `key`, whether or not it has a value.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }

    /// Whether `key` has a value.
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.0.exists(key)
    }

    /// Adds to the number at `key`, at once whoever else does; answers the sum. A key without a value counts as 0.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
        atomics::increment(&self.0, key, delta)
    }

    /// Each key with its value, if it has one, in the order of `keys`. At most 10 000 keys.
    pub fn get_many(&self, keys: &[String]) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        batch::get_many(&self.0, keys)
    }

    /// Keeps several values. At most 10 000 keys.
    pub fn set_many(&self, key_values: &[(String, Vec<u8>)]) -> Result<(), Error> {
        batch::set_many(&self.0, key_values)
    }

    /// Forgets several keys. At most 10 000.
    pub fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
        batch::delete_many(&self.0, keys)
    }

    /// All keys, asked for page by page. Some stores list a key twice when keys come and go meanwhile.
    pub fn keys(&self) -> impl Iterator<Item = Result<String, Error>> + '_ {
        let mut pages = Pages { bucket: self, next: Next::First };
        std::iter::from_fn(move || pages.page()).flat_map(|page| match page {
            Ok(keys) => keys.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }
}

struct Pages<'a> {
    bucket: &'a Bucket,
    next: Next,
}

enum Next {
    First,
    After(u64),
    Done,
}

impl Pages<'_> {
    fn page(&mut self) -> Option<Result<Vec<String>, Error>> {
        let cursor = match self.next {
            Next::First => None,
            Next::After(cursor) => Some(cursor),
            Next::Done => return None,
        };
        let page = self.bucket.0.list_keys(cursor);
        let cursor = page.as_ref().ok().and_then(|page| page.cursor);
        self.next = cursor.map_or(Next::Done, Next::After);
        Some(page.map(|page| page.keys))
    }
}
