//! Claims inside Wasm components: the custom section `wattle-claims`, the last of the outermost binary.

use std::collections::BTreeSet;

use wattle_core::Digest;

use crate::{ActorClaims, Signed, Timestamp, TokenError, Trust, Verified};

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

/// What a component imports and exports: names as WIT writes them, interfaces with their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// What it imports.
    pub imports: BTreeSet<String>,
    /// What it exports.
    pub exports: BTreeSet<String>,
}

/// The component with the token as its last section. One that carries claims already is refused: [`strip`] them first.
pub fn embed(_component: &[u8], _token: &Signed<ActorClaims>) -> Result<Vec<u8>, ModuleError> {
    unimplemented!()
}

/// The component without its claims sections, if it has any.
pub fn strip(_component: &[u8]) -> Result<Vec<u8>, ModuleError> {
    unimplemented!()
}

/// The SHA-256 of bytes.
pub fn digest(_bytes: &[u8]) -> Digest {
    unimplemented!()
}

/// A component's claims, **unverified**: for showing, never for deciding.
pub fn read(_wasm: &[u8]) -> Result<Embedded<'_>, ModuleError> {
    unimplemented!()
}

/// Checks that the claims hold and that they are about these bytes.
pub fn verify<'a>(
    _wasm: &'a [u8],
    _trust: &Trust,
    _now: Timestamp,
) -> Result<VerifiedModule<'a>, ModuleError> {
    unimplemented!()
}

/// What the outermost component imports and exports.
pub fn world(_component: &[u8]) -> Result<World, ModuleError> {
    unimplemented!()
}
