//! What is to be said about a manifest, and where.

use serde::Serialize;

use super::node::Place;

/// Errors that are kept, and warnings; how many there are beyond these is counted. Nobody reads more, and each may quote the text.
const FINDINGS_MAX: usize = 100;

/// One thing to be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What it is, for a person: lower case, naming the thing.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The application is deployed all the same: without what is said here, or not quite as it is written.
    Warning,
    /// The application cannot be deployed.
    Error,
}

impl Finding {
    pub(super) fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: place.clone(),
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// All that is to be said about one manifest.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        let count = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= FINDINGS_MAX {
            self.kept.push(finding);
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.errors > 0
    }

    /// From top to bottom, and how many more there are.
    pub(super) fn finish(mut self) -> (Vec<Finding>, usize) {
        self.kept.sort_by_key(|finding| finding.place.bytes.start);
        let unsaid = self.errors + self.warnings - self.kept.len();
        (self.kept, unsaid)
    }
}
