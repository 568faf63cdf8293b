//! How two hosts begin a session: each shows who it is and a curve key made for this session.
//!
//! Neither token grants anything by itself. Only who holds the hello's curve key can read the key that comes with the welcome,
//! so a repeated hello leads nowhere; a welcome names the one hello that it answers.

use serde::{Deserialize, Serialize};
use wattle_core::{CurveKey, HostKey, SessionId};

use crate::{About, Body, TokenError, TokenKind, UnderAccount, body::subject_error};

/// The first word. Subject: the key of the host that is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hello {
    /// The speaker's number for the session.
    pub session: SessionId,
    /// A number of the speaker's process: what it began as another one is over.
    pub run: SessionId,
    /// To this the other side seals its key.
    pub curve: CurveKey,
}

/// The answer. Subject: the id (`jti`) of the hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Welcome {
    /// The id of the hello that it answers.
    pub hello: String,
    /// The speaker's number for the session.
    pub session: SessionId,
    /// To this the other side seals its key.
    pub curve: CurveKey,
    /// The key of the frames that the speaker will send, sealed to the hello's curve key, in base64.
    pub key: String,
}

impl Body for Hello {
    const KIND: TokenKind = TokenKind::Hello;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        match about.subject.parse::<HostKey>() {
            Ok(host) if host.as_str() != about.issuer => Ok(()),
            _ => Err(subject_error::<Self>(about, "it is the key of the host that is spoken to")),
        }
    }
}

impl Body for Welcome {
    const KIND: TokenKind = TokenKind::Welcome;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == self.hello {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "it is the id of the hello that is answered"))
        }
    }
}

impl UnderAccount for Hello {}
impl UnderAccount for Welcome {}
