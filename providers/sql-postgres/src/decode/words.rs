//! Words of a text search vector, and pairs of words.

use wattle_postgres::value::{Lexeme, LexemeWeight};

use super::{Fault, Room, reader::Reader, text};

/// The bits of a position that say where; the two above say how much it weighs.
const POSITION: u16 = 0x3fff;

/// One entry for each position of a word, and one for a word that has none. A word of 2 kB can have 256 positions.
pub(super) fn vector(raw: &[u8], room: &Room) -> Result<Vec<Lexeme>, Fault> {
    let mut reader = Reader::new(raw);
    let len = reader.i32()?;
    let mut lexemes = Vec::new();
    for _ in 0..len {
        let data = reader.text()?;
        let positions = reader.u16()?;
        let copies = data.len() * usize::from(positions.max(1));
        room.take(copies).ok_or("its words, repeated for each of their positions, are too much")?;
        if positions == 0 {
            lexemes.push(Lexeme { position: None, weight: None, data: data.to_owned() });
        }
        for _ in 0..positions {
            let position = reader.u16()?;
            lexemes.push(Lexeme {
                position: Some(position & POSITION),
                weight: Some(weight(position)),
                data: data.to_owned(),
            });
        }
    }
    reader.end(lexemes)
}

fn weight(position: u16) -> LexemeWeight {
    match position >> 14 {
        3 => LexemeWeight::A,
        2 => LexemeWeight::B,
        1 => LexemeWeight::C,
        _ => LexemeWeight::D,
    }
}

pub(super) fn hstore(raw: &[u8]) -> Result<Vec<(String, Option<String>)>, Fault> {
    let mut reader = Reader::new(raw);
    let len = reader.i32()?;
    let mut pairs = Vec::new();
    for _ in 0..len {
        let key = text(reader.sized()?.ok_or("a pair without its key")?)?;
        pairs.push((key, reader.sized()?.map(text).transpose()?));
    }
    reader.end(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_repeated_too_often_are_found_out_ahead_of_it() {
        let mut raw = vec![0, 0, 0, 1, b'w', b'o', 0, 0, 3];
        raw.extend([0, 1, 0, 2, 0, 3]);
        let room = Room::new(7);
        assert_eq!(vector(&raw, &room).expect("six bytes").len(), 3);
        assert_eq!(room.take(2), None, "one is left");
        assert!(vector(&raw, &room).is_err());
    }
}
