//! What a link lists: texts, or with a `*` at the end all that begin so.

use wattle_core::{EntityId, Name};

/// The most characters of a listed text that an error quotes.
const QUOTED_CHARS_MAX: usize = 80;

/// A list, of which one fits or none.
pub(super) struct Patterns(Vec<Pattern>);

enum Pattern {
    Is(String),
    Begins(String),
}

impl Patterns {
    /// Reads a list whose whole texts are `words`; values may have several, separated by commas. The error is the first wrong one.
    pub(super) fn read<'a>(
        values: impl IntoIterator<Item = &'a String>,
        is_word: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let texts = values.into_iter().flat_map(|value| value.split(',')).map(str::trim);
        let patterns = texts.map(|text| {
            let pattern = match text.strip_suffix('*') {
                None => is_word(text).then(|| Pattern::Is(text.to_owned())),
                Some(start) => is_beginning(start).then(|| Pattern::Begins(start.to_owned())),
            };
            pattern.ok_or_else(|| text.chars().take(QUOTED_CHARS_MAX).collect::<String>())
        });
        patterns.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn allow(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Is(one) => one == text,
            Pattern::Begins(start) => text.starts_with(start.as_str()),
        })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names and ids alone are listed, so that nothing else needs to begin one.
fn is_beginning(text: &str) -> bool {
    let is_name = |part: &str| part.parse::<Name>().is_ok();
    match text.split_once('/') {
        _ if text.is_empty() => true,
        None => is_name(text),
        Some((application, "")) => is_name(application),
        Some(_) => text.parse::<EntityId>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Patterns, String> {
        Patterns::read([&text.to_owned()], |text| text.parse::<EntityId>().is_ok())
    }

    #[test]
    fn a_list_has_words_and_beginnings() {
        let list = read("cart, shop/*,api-*").expect("a list");
        for allowed in ["cart", "shop/a", "shop/", "api-1"] {
            assert!(list.allow(allowed), "{allowed}");
        }
        for other in ["carts", "shop", "ap", ""] {
            assert!(!list.allow(other), "{other}");
        }
        assert!(read("*").expect("all").allow("anything"));
    }

    #[test]
    fn what_could_be_no_beginning_is_refused() {
        for wrong in ["", "a,", "../*", "a*b", "A*", "/*", "a/b/*", "a.*", "**"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
