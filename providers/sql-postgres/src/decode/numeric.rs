//! Exact decimals: groups of four digits, a weight, a sign and a number of digits behind the point.

use super::{Fault, reader::Reader};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Digits of one group.
const GROUP: usize = 4;

/// A number as PostgreSQL writes it, with all the digits that it keeps behind the point.
pub(super) fn decimal(raw: &[u8]) -> Result<String, Fault> {
    let mut reader = Reader::new(raw);
    let (len, weight, sign, scale) = (reader.u16()?, reader.i16()?, reader.u16()?, reader.u16()?);
    let groups = (0..len).map(|_| reader.u16()).collect::<Result<Vec<_>, _>>()?;
    if groups.iter().any(|group| *group > 9_999) {
        return Err("a numeric with a digit past nine".to_owned());
    }
    let minus = match sign {
        0 => "",
        NEGATIVE => "-",
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Ok("-Infinity".to_owned()),
        _ => return Err("a numeric with a sign that is not known".to_owned()),
    };
    let group = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let whole: String =
        (0..=i32::from(weight)).rev().map(|place| format!("{:04}", group(place))).collect();
    let whole = whole.trim_start_matches('0');
    let scale = usize::from(scale);
    let places = i32::try_from(scale.div_ceil(GROUP)).expect("16 bits");
    let mut fraction: String = (1..=places).map(|place| format!("{:04}", group(-place))).collect();
    fraction.truncate(scale);
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    reader.end(format!("{minus}{whole}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Vec<u8> {
        let head = [u16::try_from(groups.len()).expect("few"), weight.cast_unsigned(), sign, scale];
        head.iter().chain(groups).flat_map(|part| part.to_be_bytes()).collect()
    }

    #[test]
    fn groups_become_digits() {
        for (raw, text) in [
            (bytes(0, 0, 0, &[]), "0"),
            (bytes(0, 0, 2, &[]), "0.00"),
            (bytes(0, NEGATIVE, 2, &[12, 5_000]), "-12.50"),
            (bytes(1, 0, 0, &[10]), "100000"),
            (bytes(-1, 0, 6, &[1]), "0.000100"),
            (bytes(-2, 0, 8, &[1]), "0.00000001"),
            (bytes(0, NAN, 0, &[]), "NaN"),
        ] {
            assert_eq!(decimal(&raw).as_deref(), Ok(text));
        }
        assert!(decimal(&bytes(0, 0, 0, &[10_000])).is_err());
        assert!(decimal(&bytes(0, 0x1234, 0, &[1])).is_err());
    }
}
