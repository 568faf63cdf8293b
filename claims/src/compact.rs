//! The text of tokens: JWTs in compact form (RFC 7515), a leaf and then its issuers, joined by `~`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Audience, CHAIN_MAX, KeyPair, TOKEN_LEN_MAX, Timestamp, TokenError, TokenKind,
    error::shortened, key::decoding_key,
};

/// Stands between the tokens of a text. It is in no base64 alphabet.
pub(crate) const SEPARATOR: char = '~';

/// `{"typ":"JWT","alg":"EdDSA"}`. No other header is taken: there is nothing to choose, and no field (`jwk`, `crit` …) to obey.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9";

/// Characters of 64 bytes of signature.
const SIGNATURE_LEN: usize = 86;

/// The most characters of a token's id. Ids are kept until they expire, so they are short.
const ID_LEN_MAX: usize = 64;

/// The claims of a JWT as they are written.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload<B> {
    pub(crate) jti: String,
    pub(crate) iat: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<Timestamp>,
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) typ: TokenKind,
    pub(crate) body: B,
}

/// One JWT of a text, in its parts. Its header is the only one there is.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    /// `header.payload`, which is what the signature is over.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// The JWTs of a text, the leaf first. Checks lengths, number, form and algorithm; believes nothing.
pub(crate) fn split(text: &str) -> Result<Vec<Compact<'_>>, TokenError> {
    if text.len() > TOKEN_LEN_MAX {
        return Err(TokenError::TooLong { len: text.len() });
    }
    let parts: Vec<&str> = text.split(SEPARATOR).take(CHAIN_MAX + 1).collect();
    if parts.len() > CHAIN_MAX {
        return Err(TokenError::TooDeep);
    }
    parts.into_iter().map(Compact::parse).collect()
}

/// The token that a text is about; the others say who issued it.
pub(crate) fn leaf<'a>(parts: &[Compact<'a>]) -> Compact<'a> {
    *parts.first().expect("splitting a text gives at least one part")
}

impl<'a> Compact<'a> {
    fn parse(jwt: &'a str) -> Result<Self, TokenError> {
        let three = || malformed("a token is three parts of base64url with dots between them");
        let (message, signature) = jwt.rsplit_once('.').ok_or_else(three)?;
        let (header, payload) = message.split_once('.').ok_or_else(three)?;
        if header != HEADER {
            return Err(refused_header(header));
        }
        if payload.contains('.') || signature.len() != SIGNATURE_LEN {
            return Err(three());
        }
        Ok(Self { message, payload, signature })
    }

    /// What the token says, unverified but for its kind, which must be `wanted`.
    pub(crate) fn payload<B: DeserializeOwned>(
        &self,
        wanted: TokenKind,
    ) -> Result<Payload<B>, TokenError> {
        let json = self.json()?;
        let payload: Payload<B> = serde_json::from_slice(&json).map_err(|error| {
            // A body of another kind is of another shape: the kind is the better reason.
            match kind_of(&json) {
                Ok(found) if found != wanted => TokenError::Kind { wanted, found },
                _ => malformed(error),
            }
        })?;
        match payload.typ {
            found if found != wanted => Err(TokenError::Kind { wanted, found }),
            _ if !is_id(&payload.jti) => Err(malformed("its id is not one")),
            _ => Ok(payload),
        }
    }

    /// The kind it claims to be, unverified.
    pub(crate) fn kind(&self) -> Result<TokenKind, TokenError> {
        kind_of(&self.json()?)
    }

    fn json(&self) -> Result<Vec<u8>, TokenError> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(malformed)
    }

    /// Whether `issuer`, a public key, signed it.
    pub(crate) fn is_signed_by(&self, issuer: &str) -> bool {
        let Some(key) = decoding_key(issuer) else { return false };
        jsonwebtoken::crypto::verify(
            self.signature,
            self.message.as_bytes(),
            &key,
            Algorithm::EdDSA,
        )
        .unwrap_or(false)
    }
}

fn kind_of(json: &[u8]) -> Result<TokenKind, TokenError> {
    #[derive(Deserialize)]
    struct Typ {
        typ: TokenKind,
    }
    serde_json::from_slice(json).map(|Typ { typ }| typ).map_err(malformed)
}

/// A JWT of these claims.
pub(crate) fn encode<B: Serialize>(
    payload: &Payload<B>,
    key: &KeyPair,
) -> Result<String, jsonwebtoken::errors::Error> {
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), payload, &key.encoding_key())
}

/// Whether a text is a token's id: short, and harmless in a log and in a file name.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Says of a header that is not ours whether it is its algorithm that we refuse.
fn refused_header(header: &str) -> TokenError {
    #[derive(Deserialize)]
    struct Alg {
        alg: String,
    }
    let json = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    match serde_json::from_slice(&json) {
        Ok(Alg { alg }) if alg != "EdDSA" => TokenError::Algorithm { found: shortened(&alg) },
        _ => malformed(r#"its header is not {"typ":"JWT","alg":"EdDSA"}"#),
    }
}

fn malformed(why: impl ToString) -> TokenError {
    TokenError::Malformed(shortened(&why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_jsonwebtoken_writes() {
        let header = serde_json::to_vec(&Header::new(Algorithm::EdDSA)).expect("json");
        assert_eq!(URL_SAFE_NO_PAD.encode(header), HEADER);
    }

    #[test]
    fn an_id_is_short_and_harmless() {
        for good in ["a", "0f-_Z", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "a.b", "../x", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
