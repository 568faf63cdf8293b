//! Names of WIT in Rust: they fit the language, are taken once, and say on the wire what the WIT says.

use std::collections::BTreeSet;

/// All of Rust's, reserved ones too.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Keywords that no `r#` makes a name.
const NEVER_RAW: &[&str] = &["crate", "self", "super"];

/// What a module's text means by these must not be a type of the WIT.
const TYPES: &[&str] = &[
    "Arc",
    "BTreeSet",
    "Box",
    "ByteBuf",
    "CallContext",
    "CallError",
    "Clone",
    "Copy",
    "Debug",
    "Deserialize",
    "Err",
    "Failure",
    "From",
    "Future",
    "Handle",
    "Handles",
    "None",
    "Ok",
    "Option",
    "Reply",
    "Result",
    "Self",
    "Send",
    "Serialize",
    "Some",
    "String",
    "Sync",
    "Vec",
];

/// Modules that the text reaches others through.
const MODULES: &[&str] =
    &["alloc", "contract", "core", "provider", "serde", "serde_bytes", "std", "wattle_sdk"];

/// Parameters that a function has beside those of the WIT.
const PARAMS: &[&str] = &["call", "params", "provider"];

/// Names that are taken, in one scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn types() -> Self {
        Self::of(TYPES)
    }

    pub(super) fn modules() -> Self {
        Self::of(MODULES)
    }

    pub(super) fn params() -> Self {
        Self::of(PARAMS)
    }

    /// Cases, of which only `Self` is no name.
    pub(super) fn of_cases() -> Self {
        Self::of(&["Self"])
    }

    fn of(taken: &[&str]) -> Self {
        Self(taken.iter().map(|&name| name.to_owned()).collect())
    }

    /// Takes a name, or where it is taken the same with `_` behind it.
    pub(super) fn take(&mut self, wanted: String) -> String {
        let mut name = wanted;
        while !self.0.insert(name.clone()) {
            name = format!("{}_", name.trim_start_matches("r#"));
        }
        name
    }
}

/// `price-of` is `price_of`.
pub(super) fn snake(wit: &str) -> String {
    let name = wit.to_ascii_lowercase().replace('-', "_");
    match name.as_str() {
        word if NEVER_RAW.contains(&word) => format!("{name}_"),
        word if KEYWORDS.contains(&word) => format!("r#{name}"),
        _ => name,
    }
}

/// `price-of` is `PriceOf`.
pub(super) fn upper_camel(wit: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + &rest.to_ascii_lowercase(),
        None => String::new(),
    };
    wit.split('-').map(word).collect()
}

/// Whether Rust means something else by it.
pub(crate) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// What serde calls a field under `rename_all = "kebab-case"`.
pub(super) fn of_field(name: &str) -> String {
    name.trim_start_matches("r#").replace('_', "-")
}

/// What it calls a variant.
pub(super) fn of_variant(name: &str) -> String {
    let mut kebab = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            kebab.push('-');
        }
        kebab.push(if letter == '_' { '-' } else { letter.to_ascii_lowercase() });
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_language() {
        for (wit, lower, upper) in [
            ("price-of", "price_of", "PriceOf"),
            ("HTTP-status", "http_status", "HttpStatus"),
            ("type", "r#type", "Type"),
            ("self", "self_", "Self"),
            ("x-2d", "x_2d", "X2d"),
        ] {
            assert_eq!((snake(wit).as_str(), upper_camel(wit).as_str()), (lower, upper));
        }
        let mut names = Names::types();
        let taken = ["Price", "Price", "String", "Price"].map(|name| names.take(name.to_owned()));
        assert_eq!(taken, ["Price", "Price_", "String_", "Price__"]);
        assert_eq!(Names::params().take("r#type".to_owned()), "r#type");
    }

    #[test]
    fn serde_s_names_are_known() {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(non_camel_case_types, reason = "as a clash would be written")]
        enum Case {
            GreyLevel,
            X2d,
            X2d_,
        }
        let cases = [("GreyLevel", Case::GreyLevel), ("X2d", Case::X2d), ("X2d_", Case::X2d_)];
        for (name, case) in cases {
            let theirs = serde_json::to_value(case).expect("a name");
            assert_eq!(theirs, of_variant(name), "{name}");
        }
        assert_eq!((of_field("r#type"), of_field("price_of")), ("type".into(), "price-of".into()));
    }
}
