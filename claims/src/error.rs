//! Why a token does not hold.

use crate::{Audience, CHAIN_MAX, TOKEN_LEN_MAX, Timestamp, TokenKind};

/// Why a token does not hold. Every refusal of this crate's tokens is one of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// More bytes than a token text may have.
    #[error("token of {len} bytes, the limit is {TOKEN_LEN_MAX}")]
    TooLong {
        /// Bytes that came.
        len: usize,
    },
    /// More tokens behind one another than a chain may have.
    #[error("more than {CHAIN_MAX} tokens in one text")]
    TooDeep,
    /// Not a token of ours.
    #[error("malformed token: {0}")]
    Malformed(String),
    /// Signed, or pretended to be signed, with anything but Ed25519.
    #[error("token with algorithm {found:?}, only EdDSA is taken")]
    Algorithm {
        /// What its header says, shortened.
        found: String,
    },
    /// The signature is not its issuer's.
    #[error("the signature of the {of} token is not its issuer's")]
    Signature {
        /// What kind of token.
        of: TokenKind,
    },
    /// A token of another kind.
    #[error("a {found} token where a {wanted} token belongs")]
    Kind {
        /// What belongs here.
        wanted: TokenKind,
        /// What came.
        found: TokenKind,
    },
    /// The token behind another is not about the other's issuer.
    #[error("a token issued by {issuer} is followed by one about {found:?}")]
    Chain {
        /// Who issued the one.
        issuer: String,
        /// Whom the next token is about, shortened.
        found: String,
    },
    /// What it is about does not fit its kind, or its body.
    #[error("a {of} token cannot be about {subject:?}: {why}")]
    Subject {
        /// What kind of token.
        of: TokenKind,
        /// Its subject, shortened.
        subject: String,
        /// What would fit.
        why: &'static str,
    },
    /// What it carries breaks a rule of its kind.
    #[error("a {of} token that says what it may not: {why}")]
    Body {
        /// What kind of token.
        of: TokenKind,
        /// The rule.
        why: &'static str,
    },
    /// The chain ends at a key that nobody said to trust.
    #[error("{issuer} is not trusted here")]
    Untrusted {
        /// The last issuer of the chain.
        issuer: String,
    },
    /// Meant for another lattice or operator.
    #[error("token for {found}, which is not here")]
    Audience {
        /// For whom it is.
        found: Audience,
    },
    /// Its time, or that of a token it hangs on, is over.
    #[error("the {of} token expired at {at}")]
    Expired {
        /// What kind of token.
        of: TokenKind,
        /// When.
        at: Timestamp,
    },
    /// Its time, or that of a token it hangs on, has not come.
    #[error("the {of} token is not valid before {at}")]
    NotYetValid {
        /// What kind of token.
        of: TokenKind,
        /// From when on it is.
        at: Timestamp,
    },
    /// Its account or operator took it back.
    #[error("{what} was revoked at {at} by {by}")]
    Revoked {
        /// The key, token id or record key that is revoked.
        what: String,
        /// What was issued at that second or before is revoked.
        at: Timestamp,
        /// Whose list says so.
        by: String,
    },
    /// Signed by someone who may not sign this.
    #[error("{issuer} may not issue a {kind} token: {why}")]
    IssuerMayNot {
        /// Who signed.
        issuer: String,
        /// What.
        kind: TokenKind,
        /// Who may.
        why: &'static str,
    },
}

/// Hostile text is quoted in errors, but never at length, and without what a terminal would obey.
pub(crate) fn shortened(text: &str) -> String {
    const QUOTED_CHARS_MAX: usize = 80;
    let harmless = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut quoted: String = text.chars().take(QUOTED_CHARS_MAX).map(harmless).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_short_and_harmless() {
        assert_eq!(shortened("plain ä"), "plain ä");
        assert_eq!(shortened("a\u{1b}[2J\n"), "a\u{fffd}[2J\u{fffd}");
        assert_eq!(shortened(&"ä".repeat(81)), format!("{}…", "ä".repeat(80)));
    }
}
