//! What S3's refusals and silences mean.

use std::error::Error;

use object_store::Error as StoreError;
use wattle_blobstore::Failure;

/// The most bytes of a server's own words that are passed on.
const WORDS_LEN_MAX: usize = 300;

/// Whether S3 says that there is no such thing.
pub(crate) fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { .. })
}

/// A failed request, without what it carried.
pub(crate) fn failed(doing: &str, error: &StoreError) -> Failure {
    let reason = reason(error);
    match error {
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Failure::other(format!("S3 does not allow this key to {doing}: {reason}"))
        }
        StoreError::NotFound { .. }
        | StoreError::AlreadyExists { .. }
        | StoreError::Precondition { .. } => {
            Failure::other(format!("S3 refuses to {doing}: {reason}"))
        }
        _ => Failure::backend(format!("S3 fails to {doing}: {reason}")),
    }
}

/// The server's code and message where it has answered, else what is at the bottom of the failure.
fn reason(error: &StoreError) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if let Some(said) = said(&text) {
            return said;
        }
        words = text;
        next = source.source();
    }
    cut(&said(&words).unwrap_or(words))
}

/// What an answer of S3's in XML says.
pub(crate) fn said(xml: &str) -> Option<String> {
    let code = between(xml, "<Code>", "</Code>")?;
    Some(match between(xml, "<Message>", "</Message>") {
        Some(message) => format!("{}: {}", cut(code), cut(message)),
        None => cut(code),
    })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(WORDS_LEN_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_only_code_and_message_are_passed_on() {
        let xml = "<Error><Code>AccessDenied</Code><Message>No.</Message><Key>k</Key></Error>";
        let source = format!("Server returned error response: {xml}").into();
        let error = StoreError::PermissionDenied { path: "p".into(), source };
        assert_eq!(
            failed("look", &error),
            Failure::other("S3 does not allow this key to look: AccessDenied: No.")
        );
    }

    #[test]
    fn a_server_that_is_not_there_is_a_failed_backend() {
        let error = StoreError::Generic { store: "S3", source: "connection refused".into() };
        let failure = failed("look", &error);
        assert_eq!(failure, Failure::backend("S3 fails to look: connection refused"));
    }
}
