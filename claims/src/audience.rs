//! For whom a token is meant: an operator's lattice, or all of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use wattle_core::{LatticeName, OperatorKey};

/// For whom a token is meant, written `O…/lattice` or `O…/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience {
    /// The operator under which it counts.
    pub operator: OperatorKey,
    /// The lattice on which it counts; none means on all of the operator's.
    pub lattice: Option<LatticeName>,
}

/// Why a text is not an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an audience: write an operator's key, '/', and a lattice's name or '*'")]
pub struct AudienceError;

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lattice = self.lattice.as_ref().map_or("*", |lattice| lattice.as_str());
        write!(f, "{}/{lattice}", self.operator)
    }
}

impl FromStr for Audience {
    type Err = AudienceError;

    fn from_str(text: &str) -> Result<Self, AudienceError> {
        let (operator, lattice) = text.split_once('/').ok_or(AudienceError)?;
        let operator = operator.parse().map_err(|_| AudienceError)?;
        let lattice = match lattice {
            "*" => None,
            name => Some(name.parse().map_err(|_| AudienceError)?),
        };
        Ok(Self { operator, lattice })
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;

    fn try_from(text: String) -> Result<Self, AudienceError> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.to_string()
    }
}
