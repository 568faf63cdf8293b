//! Curve keys: what is sealed to one is read by its holder only, and is known to come from the sealer's.

use std::fmt;

use nkeys::XKey;
use wattle_core::CurveKey;

/// A private curve key and its public one. `Debug` prints the public key.
pub struct CurvePair(XKey);

/// What was sealed was not sealed to this key by that one, or was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sealed to this key by that one")]
pub struct OpenError;

impl CurvePair {
    /// A new random pair.
    pub fn generate() -> Self {
        Self(XKey::new())
    }

    /// The public key.
    pub fn public(&self) -> CurveKey {
        self.0.public_key().parse().expect("a curve key's text is one")
    }

    /// Seals a short secret to `to`.
    ///
    /// # Errors
    /// `to` has a wrong checksum.
    pub fn seal(&self, secret: &[u8], to: &CurveKey) -> Result<Vec<u8>, OpenError> {
        let to = XKey::from_public_key(to.as_str()).map_err(|_| OpenError)?;
        self.0.seal(secret, &to).map_err(|_| OpenError)
    }

    /// Opens what the holder of `from` sealed to this pair.
    ///
    /// # Errors
    /// Anybody else did, or it was altered.
    pub fn open(&self, sealed: &[u8], from: &CurveKey) -> Result<Vec<u8>, OpenError> {
        let from = XKey::from_public_key(from.as_str()).map_err(|_| OpenError)?;
        self.0.open(sealed, &from).map_err(|_| OpenError)
    }
}

impl fmt::Debug for CurvePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurvePair").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_read_by_its_receiver_only_and_from_its_sender_only() {
        let (here, there, other) =
            (CurvePair::generate(), CurvePair::generate(), CurvePair::generate());
        let mut sealed = here.seal(b"secret", &there.public()).expect("sealed");
        assert_eq!(there.open(&sealed, &here.public()).expect("opened"), b"secret");
        assert_eq!(there.open(&sealed, &other.public()), Err(OpenError));
        assert_eq!(other.open(&sealed, &here.public()), Err(OpenError));
        for at in 0..sealed.len() {
            sealed[at] ^= 1;
            assert_eq!(there.open(&sealed, &here.public()), Err(OpenError), "byte {at}");
            sealed[at] ^= 1;
            assert_eq!(there.open(&sealed[..at], &here.public()), Err(OpenError), "{at} bytes");
        }
    }
}
