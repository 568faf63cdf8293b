//! What tokens carry: one type per kind, and what must hold between a body and the token around it.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use wattle_core::AccountKey;

use crate::{Signed, Timestamp, TokenError, TokenKind, Trust, Verified};

pub mod code;
pub mod control;
pub mod deployment;
pub mod identity;
pub mod provider_lease;
pub mod record;
pub mod revocations;
pub mod session;

/// What a kind of token carries in its `body` claim.
pub trait Body: Serialize + DeserializeOwned + Clone + Debug {
    /// The kind of token.
    const KIND: TokenKind;

    /// What people call what the token is about.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Whether the body fits the token around it. Called once at signing and once at verifying, there when signatures hold.
    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        let _ = about;
        Ok(())
    }
}

/// The token around a body.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Whom or what it is about.
    pub subject: &'a str,
    /// The key that signed it.
    pub issuer: &'a str,
    /// The account whose chain it hangs on; none for an operator's own tokens.
    pub account: Option<&'a AccountKey>,
}

/// Bodies whose tokens always hang on an account: all but an operator's own.
pub trait UnderAccount: Body {}

/// Bodies of tokens that hold as long as they are renewed, not until some time.
pub trait Renewed: Body {}

impl<B: Renewed> Signed<B> {
    /// As [`verify`](Self::verify), but one of the future holds too: a lease ends when it is not renewed, not by anybody's clock. Of two
    /// hosts whose clocks are far apart, both would hold it otherwise.
    ///
    /// # Errors
    /// As [`verify`](Self::verify) at the time at which it was signed, where that is later.
    pub fn verify_held(&self, trust: &Trust, now: Timestamp) -> Result<Verified<B>, TokenError> {
        let signed_at = self.peek()?.issued_at;
        self.verify(trust, now.max(signed_at))
    }
}

/// Names and versions are shown on terminals: short, and without control characters.
pub(crate) fn check_label(of: TokenKind, label: &str) -> Result<(), TokenError> {
    const LABEL_CHARS_MAX: usize = 100;
    let fits = !label.is_empty()
        && label.chars().take(LABEL_CHARS_MAX + 1).count() <= LABEL_CHARS_MAX
        && !label.chars().any(char::is_control);
    let why = "a name or version has 1 to 100 characters, none of them a control character";
    if fits { Ok(()) } else { Err(TokenError::Body { of, why }) }
}

fn subject_error<B: Body>(about: &About<'_>, why: &'static str) -> TokenError {
    TokenError::Subject { of: B::KIND, subject: crate::error::shortened(about.subject), why }
}
