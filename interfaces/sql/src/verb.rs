//! What a statement begins with: words that would change the connection under everybody else's statements are refused.
//!
//! This is no parser, and needs none: every database takes one statement per call, so the first word says what it is. It does not
//! replace what a provider enforces inside its database; it makes all of them refuse the same.

use crate::Error;

/// Words that begin a transaction, change a connection's settings or reach outside of the database.
const REFUSED: &[&str] = &[
    "ABORT",
    "ATTACH",
    "BEGIN",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DECLARE",
    "DETACH",
    "DISCARD",
    "END",
    "EXECUTE",
    "FETCH",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MOVE",
    "NOTIFY",
    "PRAGMA",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "UNLISTEN",
    "VACUUM",
];

/// Whether a statement may begin as this text does.
pub fn check_verb(text: &str) -> Result<(), Error> {
    let verb = first_word(text)?;
    match REFUSED.iter().find(|refused| refused.eq_ignore_ascii_case(verb)) {
        Some(refused) => Err(Error::Denied(format!(
            "{refused} is not for callers: transactions and connections are the provider's, several statements go into a batch"
        ))),
        None => Ok(()),
    }
}

/// Whether a statement that begins like this, and returns no rows, is one that changes rows, and no schema.
pub fn changes_rows(text: &str) -> bool {
    const CHANGES: &[&str] = &["DELETE", "INSERT", "MERGE", "REPLACE", "UPDATE", "WITH"];
    first_word(text).is_ok_and(|verb| CHANGES.iter().any(|word| word.eq_ignore_ascii_case(verb)))
}

/// The letters behind blanks, comments and parentheses.
fn first_word(text: &str) -> Result<&str, Error> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == '\u{feff}');
        rest = if let Some(comment) = rest.strip_prefix("--") {
            behind_line(comment)?
        } else if let Some(comment) = rest.strip_prefix("/*") {
            behind_comment(comment)?
        } else {
            break;
        };
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    match &rest[..end] {
        "" => Err(Error::Invalid("a statement begins with a word".to_owned())),
        word => Ok(word),
    }
}

/// Databases disagree on whether a lone carriage return ends a line, and so on what of it is a comment.
fn behind_line(comment: &str) -> Result<&str, Error> {
    let (line, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    if line.strip_suffix('\r').unwrap_or(line).contains('\r') {
        return Err(Error::Invalid("a carriage return within a comment".to_owned()));
    }
    Ok(rest)
}

/// Databases disagree on whether comments nest, and so on where one with another in it ends.
fn behind_comment(comment: &str) -> Result<&str, Error> {
    match comment.split_once("*/") {
        Some((inside, rest)) if !inside.contains("/*") => Ok(rest),
        Some(_) => Err(Error::Invalid("a comment within a comment".to_owned())),
        None => Err(Error::Invalid("a comment without its end".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_connection_is_denied_however_it_is_hidden() {
        for text in [
            "BEGIN",
            "  begin;",
            "-- first\nCommit",
            "-- first\r\nCommit",
            "/* a */ -- b\n /* c */ ROLLBACK",
            "((PRAGMA x))",
            "attach 'x' AS y",
            "\u{feff}SET ROLE other",
        ] {
            assert!(matches!(check_verb(text), Err(Error::Denied(_))), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_first_word_is_invalid() {
        for text in ["", " ", ";", "-- only", "/* open", "/* /* */ SELECT 1 */ BEGIN", "$1", "1"] {
            assert!(matches!(check_verb(text), Err(Error::Invalid(_))), "{text:?}");
        }
    }

    #[test]
    fn a_comment_that_databases_end_at_different_places_is_invalid() {
        for text in ["-- a\rCOMMIT /*\nSELECT 1 */", "-- a\r-- b\r\nSELECT 1", "-- a\rCOMMIT"] {
            assert!(matches!(check_verb(text), Err(Error::Invalid(_))), "{text:?}");
        }
    }

    #[test]
    fn other_statements_pass() {
        for text in [
            "SELECT 1",
            "/* why */ insert into t values (1)",
            "(SELECT 1)",
            "ENDING",
            "-- from Windows\r\nSELECT 1",
        ] {
            assert_eq!(check_verb(text), Ok(()), "{text:?}");
        }
    }
}
