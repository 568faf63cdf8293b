//! What an account or an operator took back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{About, Body, TokenError, TokenKind, body::subject_error};

/// Everything that an account or operator ever revoked; subject: its own key. It only grows: there is no tombstone of it,
/// and it does not expire, nor with the chain that it was signed under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revocations {
    /// Grows with every list of the same issuer.
    pub generation: u64,
    /// What is revoked: a public key, a token's id (`jti`), or a record's key as [`crate::RecordKey`] writes it
    /// (`link.A…`). What was issued about it, by it or under that id at that second or before does not hold.
    pub revoked: BTreeMap<String, u64>,
}

impl Body for Revocations {
    const KIND: TokenKind = TokenKind::Revocations;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == about.issuer {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "a list of revocations is about its issuer"))
        }
    }
}
