//! How much memory values take. A message of a few bytes may unpack into many: an empty text is one byte there, and 24 here.

use serde_bytes::ByteBuf;

use crate::value::{
    Date, Interval, Lexeme, MacAddressEui48, MacAddressEui64, Time, TimeTz, Timestamp, TimestampTz,
};

/// About what an allocation takes beside its bytes.
const ALLOCATION: usize = 16;

/// What holds memory beside itself, or may.
pub(crate) trait Memory {
    /// About how many bytes it holds beside itself.
    fn beside(&self) -> usize {
        0
    }
}

macro_rules! nothing_beside {
    ($($kind:ty),+ $(,)?) => { $(impl Memory for $kind {})+ };
}

nothing_beside! {
    bool, i8, i16, i32, i64, u32, u64, MacAddressEui48, MacAddressEui64, Date, Interval, Time, Timestamp, TimestampTz,
}

impl Memory for String {
    fn beside(&self) -> usize {
        allocated(self.len())
    }
}

impl Memory for ByteBuf {
    fn beside(&self) -> usize {
        allocated(self.len())
    }
}

impl<T: Memory> Memory for Vec<T> {
    fn beside(&self) -> usize {
        allocated(self.len() * size_of::<T>()) + self.iter().map(T::beside).sum::<usize>()
    }
}

impl<T: Memory> Memory for Option<T> {
    fn beside(&self) -> usize {
        self.as_ref().map_or(0, T::beside)
    }
}

impl<A: Memory, B: Memory> Memory for (A, B) {
    fn beside(&self) -> usize {
        self.0.beside() + self.1.beside()
    }
}

impl<A: Memory, B: Memory, C: Memory> Memory for (A, B, C) {
    fn beside(&self) -> usize {
        self.0.beside() + self.1.beside() + self.2.beside()
    }
}

impl Memory for TimeTz {
    fn beside(&self) -> usize {
        self.timesonze.beside()
    }
}

impl Memory for Lexeme {
    fn beside(&self) -> usize {
        self.data.beside()
    }
}

fn allocated(len: usize) -> usize {
    if len == 0 { 0 } else { len + ALLOCATION }
}

#[cfg(test)]
mod tests {
    use crate::PgValue;

    #[test]
    fn what_a_value_holds_counts() {
        let beside = |value: PgValue| value.memory() - PgValue::Null.memory();
        assert_eq!(beside(PgValue::Int8(1)), 0);
        assert_eq!(beside(PgValue::Bytea(vec![7; 1_000].into())), 1_016);
        assert_eq!(beside(PgValue::Int8Array(vec![1; 100])), 816);
        assert_eq!(beside(PgValue::TextArray(vec![String::new(); 100])), 2_416);
        assert_eq!(beside(PgValue::Int2VectorArray(vec![vec![1; 10]; 2])), 24 * 2 + 16 + 36 * 2);
        assert_eq!(beside(PgValue::Hstore(vec![("k".into(), Some("v".into()))])), 48 + 16 + 17 * 2);
    }
}
