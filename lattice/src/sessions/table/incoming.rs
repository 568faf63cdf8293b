//! What arrives for a host's sessions, from whomever.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use wattle_core::{SessionId, Subject};
use wattle_wire::Closed;

use super::{Heard, Slot, Table};
use crate::sessions::{
    Identity, Peer, Refused,
    envelope::{Header, Kind, untagged_payload},
    handshake::{self, Agreed},
    session::Way,
};

/// The most bytes of a hello or welcome: a token and its chain.
const TOKEN_LEN_MAX: usize = 64 * 1024;
/// The most bytes of a sealed key.
const SEALED_LEN_MAX: usize = 256;
/// Sessions that were agreed to and wait to be confirmed, at most; the oldest makes way.
const AGREED_MAX: usize = 256;
/// How long one waits.
const AGREED_WAIT: Duration = Duration::from_secs(5);
/// Hellos looked at within a second, at most: each costs some signatures, and a lattice has few hosts that are new to one.
const HELLOS_PER_SECOND_MAX: u32 = 200;

/// Takes messages off one subscription for as long as the table lives.
pub(super) async fn take_all<I: Identity>(table: Weak<Table<I>>, mut messages: Subscriber) {
    while let Some(message) = messages.next().await {
        let Some(table) = table.upgrade() else { return };
        if let Err(why) = table.take(message) {
            table.refuse(why);
        }
    }
}

/// The hellos of late: how many, and which, so that a repeated one is not worth a signature.
#[derive(Default)]
pub(super) struct Hellos {
    second: Option<Instant>,
    count: u32,
    seen: HashMap<[u8; 32], Instant>,
}

impl Hellos {
    /// Whether this one is looked at.
    fn admit(&mut self, token: &[u8]) -> Result<(), Refused> {
        let now = Instant::now();
        if self.second.is_none_or(|second| now - second >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.count = 0;
            self.seen.retain(|_, at| now - *at < AGREED_WAIT);
        }
        let digest = *blake3::hash(token).as_bytes();
        if self.seen.contains_key(&digest) {
            return Err(Refused::Repeated);
        }
        if self.count >= HELLOS_PER_SECOND_MAX {
            return Err(Refused::Overloaded);
        }
        self.count += 1;
        self.seen.insert(digest, now);
        Ok(())
    }
}

impl<I: Identity> Table<I> {
    fn take(self: &Arc<Self>, message: Message) -> Result<(), Refused> {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            let Ok(Subject::Reply { session, .. }) = message.subject.as_str().parse() else {
                return Err(Refused::Malformed);
            };
            self.nobody(session);
            return Ok(());
        }
        let message = message.payload;
        let header = Header::read(&message).ok_or(Refused::Malformed)?;
        match header.kind {
            Kind::Hello => self.hello(&message),
            Kind::Welcome => self.welcome(header.session, message),
            Kind::Confirm => self.confirm(header.session, &message),
            Kind::Frames | Kind::Rekey | Kind::Rekeyed | Kind::Bye => {
                let state = self.state.lock();
                let Some(Slot::Open(session)) = state.slots.get(&header.session) else {
                    return Err(Refused::UnknownSession);
                };
                let session = Arc::clone(session);
                drop(state);
                session.receive(&header, &message)
            }
        }
    }

    fn hello(self: &Arc<Self>, message: &Bytes) -> Result<(), Refused> {
        let payload = untagged_payload(message);
        if payload.len() > TOKEN_LEN_MAX {
            return Err(Refused::Malformed);
        }
        let token = String::from_utf8(payload.to_vec()).map_err(|_| Refused::Malformed)?;
        self.hellos.lock().admit(token.as_bytes())?;
        let permit =
            Arc::clone(&self.handshakes).try_acquire_owned().map_err(|_| Refused::Overloaded)?;
        let table = Arc::clone(self);
        tokio::spawn(async move {
            let lane = table.lane(table.next_lane.fetch_add(1, Relaxed));
            match handshake::agree(&table.identity, lane, &token) {
                Ok((agreed, welcome)) => table.answer(agreed, &welcome).await,
                Err(why) => table.refuse(why),
            }
            drop(permit);
        });
        Ok(())
    }

    async fn answer(&self, agreed: Agreed, welcome: &str) {
        let way = self.way_back(&agreed);
        let message = Header::untagged(Kind::Welcome, agreed.theirs()).message(welcome.as_bytes());
        let agreed_as = agreed.session();
        self.remember(agreed);
        if let Err(error) = self.send(agreed_as, &way, message).await {
            tracing::debug!(%error, "a hello was not answered");
        }
    }

    fn way_back(&self, agreed: &Agreed) -> Way {
        Way {
            to: self.reply_subject(&agreed.peer.host(), agreed.theirs()),
            reply: self.reply_subject(self.identity.host(), agreed.session()),
        }
    }

    fn remember(&self, agreed: Agreed) {
        let mut state = self.state.lock();
        let now = Instant::now();
        while let Some((since, oldest)) = state.agreed.front().copied() {
            if state.agreed.len() < AGREED_MAX && now - since < AGREED_WAIT {
                break;
            }
            state.agreed.pop_front();
            if matches!(state.slots.get(&oldest), Some(Slot::Agreed(_))) {
                state.slots.remove(&oldest);
            }
        }
        state.agreed.push_back((now, agreed.session()));
        state.slots.insert(agreed.session(), Slot::Agreed(Box::new(agreed)));
    }

    fn welcome(&self, id: SessionId, message: Bytes) -> Result<(), Refused> {
        if message.len() > TOKEN_LEN_MAX {
            return Err(Refused::Malformed);
        }
        match self.state.lock().slots.get(&id) {
            Some(Slot::Asked(heard)) => {
                heard.try_send(Heard::Welcome(message)).map_err(|_| Refused::Overloaded)
            }
            _ => Err(Refused::UnknownSession),
        }
    }

    fn confirm(self: &Arc<Self>, id: SessionId, message: &Bytes) -> Result<(), Refused> {
        let sealed = untagged_payload(message);
        if sealed.len() > SEALED_LEN_MAX {
            return Err(Refused::Malformed);
        }
        let mut state = self.state.lock();
        let agreed = match state.slots.get(&id) {
            Some(Slot::Agreed(agreed)) => agreed,
            Some(_) => return Err(Refused::Repeated),
            None => return Err(Refused::UnknownSession),
        };
        let established = agreed.confirmed(&sealed)?;
        let way = self.way_back(agreed);
        // A host that was started anew has given up what it had before, and one that has another session for a lane the one before.
        let (host, run) = (established.peer.host(), established.peer.run());
        let lane = established.theirs.lane();
        let before: Vec<_> = state
            .slots
            .values()
            .filter_map(|slot| match slot {
                Slot::Open(session) if matches!(session.peer, Peer::Initiator(_)) => {
                    let is_given_up = session.peer.run() != run || session.theirs.lane() == lane;
                    (session.host == host && is_given_up).then(|| Arc::clone(session))
                }
                _ => None,
            })
            .collect();
        let session = self.drive(established, way);
        state.slots.insert(id, Slot::Open(session));
        drop(state);
        before.iter().for_each(|session| session.connection.fail(&Closed::There));
        Ok(())
    }
}
