//! Values of one part, and arrays of whichever.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_bytes::ByteBuf;
use wattle_postgres::{
    PgValue,
    float::{from_f32, from_f64},
    value::{Bits, Chars, Hashable, MacAddressEui48, MacAddressEui64, VarBits, VarChars},
};

use super::{Fault, reader::Reader};

/// The elements of an array. The contract has no nulls in arrays and no arrays of arrays.
pub(super) fn list<'a, T>(
    raw: &'a [u8],
    element: impl Fn(&'a [u8]) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut reader = Reader::new(raw);
    let dimensions = reader.i32()?;
    let (_has_nulls, _element_type) = (reader.i32()?, reader.i32()?);
    let len = match dimensions {
        0 => 0,
        1 => {
            let (len, _first_index) = (reader.i32()?, reader.i32()?);
            usize::try_from(len).map_err(|_| "an array of negative length".to_owned())?
        }
        more => return Err(format!("an array of {more} dimensions cannot be told: unnest it")),
    };
    let mut elements = Vec::with_capacity(len.min(raw.len() / 4));
    for _ in 0..len {
        let bytes = reader.sized()?.ok_or("an array with nulls cannot be told: unnest it")?;
        elements.push(element(bytes)?);
    }
    reader.end(elements)
}

pub(super) fn boolean(raw: &[u8]) -> Result<bool, Fault> {
    Ok(Reader::all(raw, Reader::u8)? != 0)
}

pub(super) fn int2(raw: &[u8]) -> Result<i16, Fault> {
    Reader::all(raw, Reader::i16)
}

pub(super) fn int4(raw: &[u8]) -> Result<i32, Fault> {
    Reader::all(raw, Reader::i32)
}

pub(super) fn int8(raw: &[u8]) -> Result<i64, Fault> {
    Reader::all(raw, Reader::i64)
}

pub(super) fn float4(raw: &[u8]) -> Result<Hashable, Fault> {
    Ok(from_f32(f32::from_bits(Reader::all(raw, Reader::u32)?)))
}

pub(super) fn float8(raw: &[u8]) -> Result<Hashable, Fault> {
    Ok(from_f64(Reader::all(raw, Reader::f64)?))
}

pub(super) fn lsn(raw: &[u8]) -> Result<u64, Fault> {
    Reader::all(raw, Reader::u64)
}

pub(super) fn text(raw: &[u8]) -> Result<String, Fault> {
    String::from_utf8(raw.to_vec()).map_err(|_| "text that is not UTF-8".to_owned())
}

pub(super) fn chars(raw: &[u8]) -> Result<Chars, Fault> {
    let len = u32::try_from(raw.len()).map_err(|_| "text that is too long".to_owned())?;
    Ok((len, ByteBuf::from(raw)))
}

pub(super) fn varchars(raw: &[u8]) -> Result<VarChars, Fault> {
    Ok((None, ByteBuf::from(raw)))
}

pub(super) fn jsonb(raw: &[u8]) -> Result<String, Fault> {
    match raw.split_first() {
        Some((1, json)) => text(json),
        _ => Err("jsonb of a version that is not known".to_owned()),
    }
}

pub(super) fn uuid(raw: &[u8]) -> Result<String, Fault> {
    let bytes: [u8; 16] = raw.try_into().map_err(|_| "a uuid of another length".to_owned())?;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(parts.join("-"))
}

pub(super) fn bits(raw: &[u8]) -> Result<Bits, Fault> {
    let mut reader = Reader::new(raw);
    let len = u32::try_from(reader.i32()?).map_err(|_| "bits of negative length".to_owned())?;
    Ok((len, ByteBuf::from(reader.rest())))
}

pub(super) fn varbits(raw: &[u8]) -> Result<VarBits, Fault> {
    let (len, bytes) = bits(raw)?;
    Ok((Some(len), bytes))
}

/// An address, with its network's bits where it is a network or names fewer than all.
pub(super) fn address(raw: &[u8]) -> Result<String, Fault> {
    let mut reader = Reader::new(raw);
    let (_family, bits, is_network, _len) =
        (reader.u8()?, reader.u8()?, reader.u8()? != 0, reader.u8()?);
    let address = reader.rest();
    let (text, all) = match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
        (Ok(four), _) => (Ipv4Addr::from(four).to_string(), 32),
        (_, Ok(six)) => (Ipv6Addr::from(six).to_string(), 128),
        _ => return Err("an address of another length".to_owned()),
    };
    Ok(if is_network || bits != all { format!("{text}/{bits}") } else { text })
}

pub(super) fn mac(raw: &[u8]) -> Result<MacAddressEui48, Fault> {
    let bytes = raw.try_into().map_err(|_| "an address of another length".to_owned())?;
    Ok(MacAddressEui48 { bytes })
}

pub(super) fn mac8(raw: &[u8]) -> Result<MacAddressEui64, Fault> {
    let bytes = raw.try_into().map_err(|_| "an address of another length".to_owned())?;
    Ok(MacAddressEui64 { bytes })
}

pub(super) fn snapshot(raw: &[u8]) -> Result<(i64, i64, Vec<i64>), Fault> {
    let mut reader = Reader::new(raw);
    let len = reader.i32()?;
    let (first, last) = (reader.i64()?, reader.i64()?);
    let running = (0..len).map(|_| reader.i64()).collect::<Result<_, _>>()?;
    reader.end((first, last, running))
}

/// The contract has one number for it, which says all of a snapshot in which nothing runs; others come as `pg-snapshot`.
pub(super) fn txid_snapshot(raw: &[u8]) -> Result<PgValue, Fault> {
    Ok(match snapshot(raw)? {
        (first, last, running) if first == last && running.is_empty() => {
            PgValue::TxidSnapshot(first)
        }
        snapshot => PgValue::PgSnapshot(snapshot),
    })
}
