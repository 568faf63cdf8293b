//! Words of a text search vector, and pairs of words.

use wattle_postgres::value::{Lexeme, LexemeWeight};

use super::quoted;

pub(super) fn vector(lexemes: &[Lexeme]) -> Result<String, String> {
    let texts = lexemes.iter().map(lexeme).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join(" "))
}

fn lexeme(lexeme: &Lexeme) -> Result<String, String> {
    let word = lexeme.data.replace('\\', "\\\\").replace('\'', "''");
    let weight = match lexeme.weight {
        Some(LexemeWeight::A) => "A",
        Some(LexemeWeight::B) => "B",
        Some(LexemeWeight::C) => "C",
        Some(LexemeWeight::D) | None => "",
    };
    match lexeme.position {
        Some(position) => Ok(format!("'{word}':{position}{weight}")),
        None if weight.is_empty() => Ok(format!("'{word}'")),
        None => Err(format!("the lexeme {:?} has a weight and no position", lexeme.data)),
    }
}

pub(super) fn hstore(pairs: &[(String, Option<String>)]) -> String {
    let pair = |(key, value): &(String, Option<String>)| {
        let value = value.as_deref().map_or("NULL".to_owned(), quoted);
        format!("{}=>{value}", quoted(key))
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}
