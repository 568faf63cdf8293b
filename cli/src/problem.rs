//! What a person is told when a command fails: what it is about, and the next step.

use wattle_core::{CallError, ErrorKind, control::Failure};

use crate::exit::Exit;

/// A failure with its exit code and, where one helps, the next step. It travels inside [`anyhow::Error`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    exit: Exit,
    message: String,
    next: Option<String>,
}

impl Problem {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: None }
    }

    /// The same, with the command that helps.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// An error as `main` reports it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) next: Option<String>,
}

impl From<&anyhow::Error> for Report {
    fn from(error: &anyhow::Error) -> Self {
        let (exit, next) = find(error);
        Self { exit, message: format!("{error:#}"), next }
    }
}

/// The first error in the chain that knows its kind decides.
fn find(error: &anyhow::Error) -> (Exit, Option<String>) {
    for cause in error.chain() {
        if let Some(problem) = cause.downcast_ref::<Problem>() {
            return (problem.exit, problem.next.clone());
        }
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return (failure.kind.into(), failure.next.clone());
        }
        if let Some(call) = cause.downcast_ref::<CallError>() {
            let is_nothing = call.kind == ErrorKind::NotFound;
            return (call.kind.into(), is_nothing.then(|| "wattle get inventory".to_owned()));
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let missing = io.kind() == std::io::ErrorKind::NotFound;
            return (if missing { Exit::NotFound } else { Exit::Failed }, None);
        }
    }
    (Exit::Failed, None)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use wattle_core::control::FailureKind;

    use super::*;

    #[test]
    fn a_hosts_failure_keeps_its_kind_and_its_next_step_through_context() {
        let failure =
            Failure::new(FailureKind::Conflict, "port 8080 is taken").with_next("wattle x");
        let error = Err::<(), _>(failure).context("link put").expect_err("it is an error");
        let report = Report::from(&error);
        assert_eq!(report.exit, Exit::Conflict);
        assert_eq!(report.next.as_deref(), Some("wattle x"));
        assert_eq!(report.message, "link put: port 8080 is taken");
    }

    #[test]
    fn an_error_that_nothing_is_known_about_is_a_plain_failure() {
        assert_eq!(Report::from(&anyhow::anyhow!("x")).exit, Exit::Failed);
    }
}
