//! What is in a store's file, and how it is read and changed within one transaction.
//!
//! Each key has a number, given when it gets its first value. Listing goes by these numbers, so a page's cursor is the number
//! that it ended with: it means the same after a restart, and whatever comes or goes in between.

use std::ops::Bound;

use redb::{
    ReadTransaction, ReadableTable, StorageError, Table, TableDefinition, WriteTransaction,
};
use wattle_keyvalue::{
    Failure,
    limit::{PAGE_BYTES_MAX, PAGE_KEYS_MAX, check_found},
    wire::KeyResponse,
};

/// (bucket, key) → (the key's number, its value).
const VALUES: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("values");

/// (bucket, the key's number) → key.
const ORDER: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("order");

/// The file's own numbers.
const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

/// The number of the key that comes next; the first is 1.
const NEXT: &str = "next";

/// The most keys that one page looks at: a link that may see few of many gets short pages instead of slow ones.
const SCANNED_KEYS_MAX: usize = 10_000;

/// The tables, open for changes.
pub(crate) struct Changes<'t> {
    values: Table<'t, (&'static str, &'static str), (u64, &'static [u8])>,
    order: Table<'t, (&'static str, u64), &'static str>,
    counters: Table<'t, &'static str, u64>,
}

impl<'t> Changes<'t> {
    /// Opens the tables, which are made where they are missing.
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::TableError> {
        Ok(Self {
            values: transaction.open_table(VALUES)?,
            order: transaction.open_table(ORDER)?,
            counters: transaction.open_table(COUNTERS)?,
        })
    }

    pub(crate) fn set(
        &mut self,
        bucket: &str,
        key: &str,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let known = self.values.get((bucket, key))?.map(|entry| entry.value().0);
        let number = match known {
            Some(number) => number,
            None => self.number(bucket, key)?,
        };
        self.values.insert((bucket, key), (number, value))?;
        Ok(())
    }

    /// Whether there was anything to delete.
    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Result<bool, StorageError> {
        let gone = self.values.remove((bucket, key))?.map(|entry| entry.value().0);
        if let Some(number) = gone {
            self.order.remove((bucket, number))?;
        }
        Ok(gone.is_some())
    }

    /// The sum, or why there is none; then nothing changed.
    pub(crate) fn increment(
        &mut self,
        bucket: &str,
        key: &str,
        delta: u64,
    ) -> Result<Result<u64, Failure>, StorageError> {
        let number = match self.values.get((bucket, key))? {
            Some(entry) => number_in(entry.value().1),
            None => Some(0),
        };
        let Some(number) = number else {
            return Ok(Err(Failure::other("the value is not a whole number")));
        };
        let sum = number.checked_add(delta).filter(|sum| i64::try_from(*sum).is_ok());
        let Some(sum) = sum else {
            return Ok(Err(Failure::other("the sum is past 2^63 - 1")));
        };
        self.set(bucket, key, sum.to_string().as_bytes())?;
        Ok(Ok(sum))
    }

    /// Gives a new key its number.
    fn number(&mut self, bucket: &str, key: &str) -> Result<u64, StorageError> {
        let number = self.counters.get(NEXT)?.map_or(1, |next| next.value());
        self.counters.insert(NEXT, number + 1)?;
        self.order.insert((bucket, number), key)?;
        Ok(number)
    }
}

/// The number that a value is in decimal, spelt the one way that `increment` spells it.
fn number_in(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What several keys have, in their order.
pub(crate) type Values = Vec<Option<Vec<u8>>>;

/// What a key has.
pub(crate) fn get(
    transaction: &ReadTransaction,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let values = transaction.open_table(VALUES)?;
    let entry = values.get((bucket, key))?;
    Ok(entry.map(|entry| entry.value().1.to_vec()))
}

/// Whether a key has a value.
pub(crate) fn exists(
    transaction: &ReadTransaction,
    bucket: &str,
    key: &str,
) -> Result<bool, redb::Error> {
    Ok(transaction.open_table(VALUES)?.get((bucket, key))?.is_some())
}

/// What several keys have, if that fits in an answer.
pub(crate) fn get_many(
    transaction: &ReadTransaction,
    bucket: &str,
    keys: &[String],
) -> Result<Result<Values, Failure>, redb::Error> {
    let values = transaction.open_table(VALUES)?;
    let mut len = 0;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let entry = values.get((bucket, key.as_str()))?;
        len += entry.as_ref().map_or(0, |entry| entry.value().1.len());
        if let Err(failure) = check_found(len) {
            return Ok(Err(failure));
        }
        found.push(entry.map(|entry| entry.value().1.to_vec()));
    }
    Ok(Ok(found))
}

/// The page after `cursor` of the keys that start with `prefix`.
pub(crate) fn list_keys(
    transaction: &ReadTransaction,
    bucket: &str,
    prefix: &str,
    cursor: Option<u64>,
) -> Result<KeyResponse, redb::Error> {
    let order = transaction.open_table(ORDER)?;
    let after = Bound::Excluded((bucket, cursor.unwrap_or(0)));
    let mut entries = order.range::<(&str, u64)>((after, Bound::Included((bucket, u64::MAX))))?;
    let mut page = KeyResponse::default();
    let mut bytes = 0;
    for _ in 0..SCANNED_KEYS_MAX {
        let Some(entry) = entries.next() else {
            page.cursor = None;
            return Ok(page);
        };
        let (number, key) = entry?;
        page.cursor = Some(number.value().1);
        if key.value().starts_with(prefix) {
            bytes += key.value().len();
            page.keys.push(key.value().to_owned());
        }
        if page.keys.len() == PAGE_KEYS_MAX || bytes >= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(page)
}
