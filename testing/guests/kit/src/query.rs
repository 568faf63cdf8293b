//! Query parameters.

use wattle::{Error, Request, Result};

/// A parameter as a number.
pub(crate) fn number(request: &Request, name: &str, default: u64) -> Result<u64> {
    Ok(request.query(name).map(str::parse).transpose()?.unwrap_or(default))
}

/// A parameter as text, percent signs decoded.
pub(crate) fn text(request: &Request, name: &str) -> Result<Option<String>> {
    request.query(name).map(decode).transpose()
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or_else(|| Error::msg("percent what?"))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits)?, 16)?);
        rest = tail;
    }
    Ok(String::from_utf8(bytes)?)
}
