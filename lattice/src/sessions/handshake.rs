//! How a session begins, without any I/O: hello, welcome, and the initiator's key.
//!
//! Each side makes a curve key for this session alone and signs it with its host key. Each direction's key is made by who sends
//! in it, and sealed to the other's curve key; so whoever can open and answer is who signed, now, and a recording of the
//! handshake is worth nothing later.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use wattle_claims::{CurvePair, Hello, Timestamp, TokenError, Trust, Verified, Welcome};
use wattle_core::{CurveKey, HostKey, SessionId};

use super::{
    Identity, Refused,
    seal::{Key, Opener, Sealer},
};

/// A session that was asked for.
pub(super) struct Asked {
    session: SessionId,
    curve: Arc<CurvePair>,
    to: HostKey,
    hello: String,
}

/// A session that was agreed to, and not yet confirmed.
pub(super) struct Agreed {
    pub(super) peer: Peer,
    session: SessionId,
    theirs: SessionId,
    curve: Arc<CurvePair>,
    their_curve: CurveKey,
    key: Key,
}

/// Who is at the other end, as its verified token says.
#[derive(Clone, Debug)]
pub enum Peer {
    /// It spoke first.
    Initiator(Arc<Verified<Hello>>),
    /// It was spoken to.
    Responder(Arc<Verified<Welcome>>),
}

/// What both ends have once a handshake is over.
pub(super) struct Established {
    pub(super) peer: Peer,
    /// This side's number.
    pub(super) session: SessionId,
    /// The other's.
    pub(super) theirs: SessionId,
    pub(super) curve: Arc<CurvePair>,
    pub(super) their_curve: CurveKey,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

impl Peer {
    /// Whether its claims still hold.
    ///
    /// # Errors
    /// Why they do not.
    pub fn standing(&self, trust: &Trust, now: Timestamp) -> Result<(), TokenError> {
        match self {
            Self::Initiator(token) => token.standing(trust, now),
            Self::Responder(token) => token.standing(trust, now),
        }
    }

    /// The number of the initiator's process.
    pub(super) fn run(&self) -> Option<SessionId> {
        match self {
            Self::Initiator(token) => Some(token.body.run),
            Self::Responder(_) => None,
        }
    }

    /// The host's key.
    pub fn host(&self) -> HostKey {
        let issuer = match self {
            Self::Initiator(token) => &token.issuer,
            Self::Responder(token) => &token.issuer,
        };
        issuer.parse().expect("tokens of a handshake are verified to be signed by hosts")
    }
}

/// Begins a session of one lane with `to`: what to remember, and the token to send.
pub(super) fn ask(
    identity: &impl Identity,
    to: &HostKey,
    lane: u8,
    run: SessionId,
) -> Result<(Asked, String), Refused> {
    let (session, curve) = (SessionId::of_lane(lane, rand::random()), CurvePair::generate());
    let body = Hello { session, run, curve: curve.public() };
    let hello = identity.sign(to.to_string(), body).ok_or(Refused::Claims)?;
    let id = hello.peek().map_err(|_| Refused::Claims)?.id;
    let curve = Arc::new(curve);
    Ok((Asked { session, curve, to: to.clone(), hello: id }, hello.text().to_owned()))
}

/// Agrees to a session that another host asks for, and that one lane will take: what to remember, and the token to answer with.
pub(super) fn agree(
    identity: &impl Identity,
    lane: u8,
    hello: &str,
) -> Result<(Agreed, String), Refused> {
    let hello = identity.verify::<Hello>(hello).ok_or(Refused::Claims)?;
    if hello.subject != identity.host().as_str() {
        return Err(Refused::OtherHost);
    }
    let (session, curve, key) =
        (SessionId::of_lane(lane, rand::random()), CurvePair::generate(), Key::random());
    let sealed = curve.seal(key.as_bytes(), &hello.body.curve).map_err(|_| Refused::Malformed)?;
    let body = Welcome {
        hello: hello.id.clone(),
        session,
        curve: curve.public(),
        key: BASE64.encode(sealed),
    };
    let welcome = identity.sign(hello.id.clone(), body).ok_or(Refused::Claims)?;
    let theirs = hello.body.session;
    let (curve, their_curve) = (Arc::new(curve), hello.body.curve.clone());
    let peer = Peer::Initiator(Arc::new(hello));
    Ok((Agreed { peer, session, theirs, curve, their_curve, key }, welcome.text().to_owned()))
}

impl Asked {
    /// This side's number.
    pub(super) const fn session(&self) -> SessionId {
        self.session
    }

    /// Takes the other side's answer, and gives the sealed key to confirm with.
    pub(super) fn confirm(
        &self,
        identity: &impl Identity,
        welcome: &str,
    ) -> Result<(Established, Vec<u8>), Refused> {
        let (welcome, theirs) = self.check(identity, welcome)?;
        let key = Key::random();
        let sealed = self.curve.seal(key.as_bytes(), &welcome.body.curve);
        let sealed = sealed.map_err(|_| Refused::Malformed)?;
        let established = Established {
            session: self.session,
            theirs: welcome.body.session,
            their_curve: welcome.body.curve.clone(),
            sealer: Sealer::new(welcome.body.session, key),
            opener: Opener::new(theirs),
            curve: Arc::clone(&self.curve),
            peer: Peer::Responder(Arc::new(welcome)),
        };
        Ok((established, sealed))
    }

    fn check(
        &self,
        identity: &impl Identity,
        welcome: &str,
    ) -> Result<(Verified<Welcome>, Key), Refused> {
        let welcome = identity.verify::<Welcome>(welcome).ok_or(Refused::Claims)?;
        if welcome.issuer != self.to.as_str() || welcome.body.hello != self.hello {
            return Err(Refused::OtherHost);
        }
        let sealed = BASE64.decode(&welcome.body.key).map_err(|_| Refused::Malformed)?;
        let opened = self.curve.open(&sealed, &welcome.body.curve).map_err(|_| Refused::Tag)?;
        let key = Key::from_bytes(&opened).ok_or(Refused::Malformed)?;
        Ok((welcome, key))
    }
}

impl Agreed {
    /// This side's number.
    pub(super) const fn session(&self) -> SessionId {
        self.session
    }

    /// The other side's.
    pub(super) const fn theirs(&self) -> SessionId {
        self.theirs
    }

    /// Takes the initiator's key: from here on both know that the other is there.
    pub(super) fn confirmed(&self, sealed: &[u8]) -> Result<Established, Refused> {
        let opened = self.curve.open(sealed, &self.their_curve).map_err(|_| Refused::Tag)?;
        let key = Key::from_bytes(&opened).ok_or(Refused::Malformed)?;
        Ok(Established {
            session: self.session,
            theirs: self.theirs,
            their_curve: self.their_curve.clone(),
            sealer: Sealer::new(self.theirs, self.key.clone()),
            opener: Opener::new(key),
            curve: Arc::clone(&self.curve),
            peer: self.peer.clone(),
        })
    }
}
