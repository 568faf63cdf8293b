//! Provider artifacts: a tar with `claims.jwt` first, then one binary per platform, each with its hash in the claims.

use std::collections::BTreeMap;

use wattle_core::Digest;

use crate::{ProviderClaims, Signed, Timestamp, TokenError, Trust, Verified};

/// The most bytes of an artifact.
pub const ARTIFACT_LEN_MAX: usize = 256 * 1024 * 1024;

/// Why bytes are not a provider artifact, or its claims do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// More bytes than an artifact may have.
    #[error("provider artifact of {len} bytes, the limit is {ARTIFACT_LEN_MAX}")]
    TooLarge {
        /// Bytes that came.
        len: usize,
    },
    /// Not an archive in the one form that we write.
    #[error("malformed provider artifact: {0}")]
    Malformed(String),
    /// The token in it does not hold.
    #[error("the provider's claims do not hold: {0}")]
    Token(#[from] TokenError),
    /// The binaries are not those that the claims name.
    #[error(
        "the provider's claims name binaries for {signed:?}, the artifact has them for {found:?}"
    )]
    Binaries {
        /// Platforms in the claims.
        signed: Vec<String>,
        /// Platforms in the archive.
        found: Vec<String>,
    },
    /// A binary is not the one that was signed.
    #[error(
        "the binary for {platform} was changed after it was signed: its hash is {found}, the claims say {signed}"
    )]
    Hash {
        /// Which binary.
        platform: String,
        /// The binary's hash.
        found: Digest,
        /// The hash in the claims.
        signed: Digest,
    },
    /// There is none for this platform.
    #[error("the provider has no binary for {wanted}, only for {offered:?}")]
    Platform {
        /// What was asked for.
        wanted: String,
        /// What there is.
        offered: Vec<String>,
    },
}

/// An artifact, not verified.
#[derive(Clone, Debug)]
pub struct PeekedProvider<'a> {
    /// Its claims.
    pub token: Signed<ProviderClaims>,
    /// Its binaries by platform.
    pub binaries: BTreeMap<String, &'a [u8]>,
}

/// An artifact whose claims hold, and the binary for one platform, which is the signed one.
#[derive(Clone, Debug)]
pub struct VerifiedProvider<'a> {
    /// Its claims.
    pub claims: Verified<ProviderClaims>,
    /// The binary: what is to be executed, these very bytes.
    pub binary: &'a [u8],
}

/// This process's platform, `{os}-{arch}`: `linux-x86_64`.
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The artifact of these binaries, which must be those that the token's claims name.
pub fn pack(
    _token: &Signed<ProviderClaims>,
    _binaries: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, ArtifactError> {
    unimplemented!()
}

/// What is in an artifact, **unverified**: for showing, never for deciding.
pub fn peek(_artifact: &[u8]) -> Result<PeekedProvider<'_>, ArtifactError> {
    unimplemented!()
}

/// Checks that the claims hold and that the platform's binary is the one they name.
pub fn verify<'a>(
    _artifact: &'a [u8],
    _platform: &str,
    _trust: &Trust,
    _now: Timestamp,
) -> Result<VerifiedProvider<'a>, ArtifactError> {
    unimplemented!()
}
