//! Bytes in PostgreSQL's order, read from the front.

use super::Fault;

/// What is left to read.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One thing that has to be all there is.
    pub(super) fn all<T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut reader = Self::new(bytes);
        let value = read(&mut reader)?;
        reader.end(value)
    }

    /// A value whose bytes are all read.
    pub(super) fn end<T>(self, value: T) -> Result<T, Fault> {
        if self.rest.is_empty() {
            Ok(value)
        } else {
            Err("a value with bytes left over".to_owned())
        }
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or("a value that ends early")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or("a value that ends early")?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Bytes with their length in front; none where it is negative.
    pub(super) fn sized(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        usize::try_from(self.i32()?).ok().map(|len| self.bytes(len)).transpose()
    }

    /// Text that ends with a zero.
    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let len = self.rest.iter().position(|byte| *byte == 0).ok_or("a text without its end")?;
        let text = self.bytes(len)?;
        self.u8()?;
        str::from_utf8(text).map_err(|_| "text that is not UTF-8".to_owned())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Fault> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_be_bytes)
    }
}
