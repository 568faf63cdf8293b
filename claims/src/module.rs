//! Claims inside Wasm components: the custom section `wattle-claims`, the last of the outermost binary.

use sha2::{Digest as _, Sha256};
use wattle_core::Digest;

use crate::{ActorClaims, Signed, Timestamp, TokenError, Trust, Verified};

mod section;
mod world;

use section::Section;
pub use world::{World, world};

/// The name of the custom section.
pub const SECTION: &str = "wattle-claims";

/// The most bytes of a signed component.
pub const MODULE_LEN_MAX: usize = 256 * 1024 * 1024;

/// Why bytes are not a signed component, or its claims do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// More bytes than a component may have.
    #[error("component of {len} bytes, the limit is {MODULE_LEN_MAX}")]
    TooLarge {
        /// Bytes that came.
        len: usize,
    },
    /// Not a Wasm component, or a broken one.
    #[error("not a Wasm component: {0}")]
    Malformed(String),
    /// There is no claims section; one in a nested component does not count.
    #[error("the component carries no claims{}", if *nested { "; those of a component nested in it do not count" } else { "" })]
    NoClaims {
        /// Whether there is one in something nested.
        nested: bool,
    },
    /// There is a claims section already, or a second one.
    #[error("the component carries claims already")]
    HasClaims,
    /// Something follows the claims section, or its lengths are not written in the shortest way.
    #[error("the claims are not the component's last bytes, in their one spelling")]
    NotLast,
    /// The token in it does not hold.
    #[error("the component's claims do not hold: {0}")]
    Token(#[from] TokenError),
    /// The component is not the one that was signed.
    #[error(
        "the component was changed after it was signed: its hash is {found}, its claims say {signed}"
    )]
    Hash {
        /// The component's hash.
        found: Digest,
        /// The hash in its claims.
        signed: Digest,
    },
}

/// A component with claims, not verified.
#[derive(Clone, Debug)]
pub struct Embedded<'a> {
    /// Its claims.
    pub token: Signed<ActorClaims>,
    /// All bytes before the claims section.
    pub content: &'a [u8],
    /// Their hash.
    pub hash: Digest,
}

/// A component whose claims hold.
#[derive(Clone, Debug)]
pub struct VerifiedModule<'a> {
    /// Its claims.
    pub claims: Verified<ActorClaims>,
    /// All bytes before the claims section: what is to be compiled.
    pub content: &'a [u8],
    /// Their hash.
    pub hash: Digest,
}

/// The component with the token as its last section. One that carries claims already is refused: [`strip`] them first.
pub fn embed(component: &[u8], token: &Signed<ActorClaims>) -> Result<Vec<u8>, ModuleError> {
    let sections = section::all(component)?;
    if sections.iter().any(Section::is_claims) {
        return Err(ModuleError::HasClaims);
    }
    let section = section::claims(token.text());
    let len = component.len() + section.len();
    if len > MODULE_LEN_MAX {
        return Err(ModuleError::TooLarge { len });
    }
    Ok([component, &section].concat())
}

/// The component without its claims sections, if it has any. Sections of what is nested in it stay: they grant nothing.
pub fn strip(component: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let sections = section::all(component)?;
    let kept = sections.iter().filter(|section| !section.is_claims());
    let mut stripped = component[..section::PREAMBLE_LEN].to_vec();
    kept.for_each(|section| stripped.extend_from_slice(&component[section.range.clone()]));
    Ok(stripped)
}

/// The SHA-256 of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// A component's claims, **unverified**: for showing, never for deciding.
pub fn read(wasm: &[u8]) -> Result<Embedded<'_>, ModuleError> {
    let sections = section::all(wasm)?;
    let mut claims = sections.iter().filter(|section| section.is_claims());
    let Some(found) = claims.next() else {
        return Err(ModuleError::NoClaims { nested: section::is_mentioned(wasm) });
    };
    if claims.next().is_some() {
        return Err(ModuleError::HasClaims);
    }
    let text = found.content.and_then(|content| std::str::from_utf8(content).ok());
    let text = text.ok_or(TokenError::Malformed("not a text".into()))?;
    // One spelling: what follows the content must be the very section that we would write.
    let (content, rest) = wasm.split_at(found.range.start);
    if rest != section::claims(text) {
        return Err(ModuleError::NotLast);
    }
    Ok(Embedded { token: Signed::parse(text)?, content, hash: digest(content) })
}

/// Checks that the claims hold and that they are about these bytes.
pub fn verify<'a>(
    wasm: &'a [u8],
    trust: &Trust,
    now: Timestamp,
) -> Result<VerifiedModule<'a>, ModuleError> {
    let Embedded { token, content, hash } = read(wasm)?;
    let claims = token.verify(trust, now)?;
    let signed = claims.body.hash;
    if hash != signed {
        return Err(ModuleError::Hash { found: hash, signed });
    }
    Ok(VerifiedModule { claims, content, hash })
}
