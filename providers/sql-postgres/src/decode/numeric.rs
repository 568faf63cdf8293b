//! Exact decimals: groups of four digits, a weight, a sign and a number of digits behind the point.

use super::{Fault, Room, reader::Reader};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Digits of one group.
const GROUP: usize = 4;

/// A number as PostgreSQL writes it, with all the digits that it keeps behind the point. Ten bytes can say 131,072 of them before it.
pub(super) fn decimal(raw: &[u8], room: &Room) -> Result<String, Fault> {
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
    let scale = usize::from(scale);
    let digits = GROUP * usize::try_from(i32::from(weight) + 1).unwrap_or(0) + scale;
    room.take(digits).ok_or("the numbers of the answer have too many digits")?;
    let group = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let whole: String =
        (0..=i32::from(weight)).rev().map(|place| format!("{:04}", group(place))).collect();
    let whole = whole.trim_start_matches('0');
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
            assert_eq!(decimal(&raw, &Room::new(16)).as_deref(), Ok(text));
        }
        let room = Room::new(16);
        assert!(decimal(&bytes(0, 0, 0, &[10_000]), &room).is_err());
        assert!(decimal(&bytes(0, 0x1234, 0, &[1]), &room).is_err());
    }

    #[test]
    fn numbers_of_too_many_digits_are_found_out_ahead_of_writing_them() {
        let large = bytes(32_767, 0, 0, &[1]);
        let room = Room::new(300_000);
        for _ in 0..2 {
            let digits = decimal(&large, &room).expect("there is room").len();
            assert_eq!(digits, 131_069);
        }
        assert!(decimal(&large, &room).is_err());
    }
}
