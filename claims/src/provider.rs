//! Provider artifacts: a tar with `claims.jwt` first, then one binary per platform, each with its hash in the claims.

use std::collections::BTreeMap;

use wattle_core::Digest;

use crate::{ProviderClaims, Signed, Timestamp, TokenError, Trust, Verified, module::digest};

mod archive;

/// The name of the first file, which holds the token text.
const CLAIMS: &str = "claims.jwt";

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
    token: &Signed<ProviderClaims>,
    binaries: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, ArtifactError> {
    let claims = token.peek()?.body;
    check_platforms(&claims, binaries.keys())?;
    for (platform, binary) in binaries {
        check_hash(&claims, platform, binary)?;
    }
    let binaries = binaries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let files: Vec<_> = [(CLAIMS, token.text().as_bytes())].into_iter().chain(binaries).collect();
    archive::write(&files)
}

/// What is in an artifact, **unverified**: for showing, never for deciding.
pub fn peek(artifact: &[u8]) -> Result<PeekedProvider<'_>, ArtifactError> {
    let mut files = archive::read(artifact)?.into_iter();
    let Some((CLAIMS, claims)) = files.next() else {
        return Err(ArtifactError::Malformed("its first file is not claims.jwt".into()));
    };
    let text =
        std::str::from_utf8(claims).map_err(|_| TokenError::Malformed("not a text".into()))?;
    let mut binaries = BTreeMap::new();
    for (platform, binary) in files {
        if binaries
            .last_key_value()
            .is_some_and(|(last, _): (&String, _)| last.as_str() >= platform)
        {
            return Err(ArtifactError::Malformed("its binaries are not in order".into()));
        }
        binaries.insert(platform.to_owned(), binary);
    }
    Ok(PeekedProvider { token: Signed::parse(text)?, binaries })
}

/// Checks that the claims hold and that the platform's binary is the one they name.
pub fn verify<'a>(
    artifact: &'a [u8],
    platform: &str,
    trust: &Trust,
    now: Timestamp,
) -> Result<VerifiedProvider<'a>, ArtifactError> {
    let PeekedProvider { token, binaries } = peek(artifact)?;
    let claims = token.verify(trust, now)?;
    check_platforms(&claims.body, binaries.keys())?;
    let Some(binary) = binaries.get(platform).copied() else {
        let offered = binaries.into_keys().collect();
        return Err(ArtifactError::Platform { wanted: platform.to_owned(), offered });
    };
    check_hash(&claims.body, platform, binary)?;
    Ok(VerifiedProvider { claims, binary })
}

fn check_platforms<'a>(
    claims: &ProviderClaims,
    found: impl Iterator<Item = &'a String> + Clone,
) -> Result<(), ArtifactError> {
    if claims.binaries.keys().eq(found.clone()) {
        return Ok(());
    }
    let signed = claims.binaries.keys().cloned().collect();
    Err(ArtifactError::Binaries { signed, found: found.cloned().collect() })
}

fn check_hash(claims: &ProviderClaims, platform: &str, binary: &[u8]) -> Result<(), ArtifactError> {
    let found = digest(binary);
    match claims.binaries.get(platform) {
        Some(signed) if *signed == found => Ok(()),
        Some(signed) => {
            Err(ArtifactError::Hash { platform: platform.to_owned(), found, signed: *signed })
        }
        None => check_platforms(claims, [platform.to_owned()].iter()),
    }
}
