//! Text from outside, made fit for one line of a terminal.

/// `text` as one line without control characters, and at most `len_max` bytes and an ellipsis long.
pub(crate) fn printable(mut text: String, len_max: usize) -> String {
    if text.len() > len_max {
        text.truncate(text.floor_char_boundary(len_max));
        text.push('…');
    }
    if !text.chars().any(must_be_escaped) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if must_be_escaped(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
        if escaped.len() > len_max {
            escaped.push('…');
            break;
        }
    }
    escaped
}

/// Control characters, and those that reorder or hide the text around them.
fn must_be_escaped(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(
            character,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        assert_eq!(printable("grüße, \"x\" = 1\t☃".to_owned(), 100), "grüße, \"x\" = 1\t☃");
    }

    #[test]
    fn escapes_do_not_lengthen_a_line_beyond_its_limit() {
        let line = printable("\u{1b}".repeat(1_000_000), 100);
        assert!(line.len() < 120, "{}", line.len());
        assert!(line.ends_with('…'));
    }
}
