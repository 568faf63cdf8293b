//! How functions fail whose WIT says how: the type beside their results.

use std::collections::BTreeSet;

use super::{model::Contract, place::From, text::Text};

const FAILURE: &str = r#"
/// Why a function failed whose WIT has an error for that.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure<E> {
    /// It answers with this error, which its caller sees.
    Answer(E),
    /// It does not answer: the actor that called ends with this.
    Call(CallError),
}

impl<E> Failure<E> {
    fn outcome<T>(given: Result<T, Self>) -> Result<Result<T, E>, CallError> {
        match given {
            Ok(given) => Ok(Ok(given)),
            Err(Self::Answer(error)) => Ok(Err(error)),
            Err(Self::Call(error)) => Err(error),
        }
    }
}

impl<E> From<CallError> for Failure<E> {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}"#;

impl Contract {
    /// The errors that functions answer with, each once.
    pub(super) fn errors(&self) -> BTreeSet<String> {
        let functions = self.answered().flat_map(|(_, _, answers)| &answers.functions);
        let errors = functions.filter_map(|function| function.outcome(self).error);
        let bare = |error: Option<_>| error.map(|of| self.bare(of));
        errors.map(|error| self.wire_or_unit(bare(error).as_ref(), From::Outside)).collect()
    }

    pub(super) fn write_failure(&self, text: &mut Text) {
        let errors = self.errors();
        if errors.is_empty() {
            return;
        }
        FAILURE.lines().for_each(|line| text.line(line));
        for error in errors {
            text.blank();
            text.block(format!("impl From<{error}> for Failure<{error}>"), |text| {
                text.block(format!("fn from(error: {error}) -> Self"), |text| {
                    text.line("Self::Answer(error)");
                });
            });
        }
    }
}
