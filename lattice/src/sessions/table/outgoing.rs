//! Sessions for this host's own calls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};
use wattle_core::{CallError, ErrorKind, HostKey, SessionId, Subject};

use super::{Heard, Making, Slot, Table};
use crate::sessions::{
    Identity, Refused,
    envelope::{Header, Kind, untagged_payload},
    handshake::{self, Asked, Established},
    session::{Session, Way},
};

/// Welcomes that wait to be looked at: there is one, and what others say in its name.
const HEARD_MAX: usize = 4;
/// NATS may say that nobody is there in the moment in which somebody comes; or somebody else may say it in its name.
const NOBODY_GRACE: Duration = Duration::from_millis(50);

impl<I: Identity> Table<I> {
    /// The session with `host` for calls from `lane`, made if there is none that lives.
    pub(super) async fn session(
        self: &Arc<Self>,
        host: &HostKey,
        lane: usize,
    ) -> Result<Arc<Session>, CallError> {
        match self.known(host, lane) {
            Some(session) if session.is_fresh() => Ok(session),
            // Boxed: it is rare, and each call's future would have room for it.
            _ => Box::pin(self.session_that_is_there(host, lane)).await,
        }
    }

    async fn session_that_is_there(
        self: &Arc<Self>,
        host: &HostKey,
        lane: usize,
    ) -> Result<Arc<Session>, CallError> {
        if let Some(session) = self.known(host, lane)
            && session.is_there().await
        {
            return Ok(session);
        }
        let (asked, making) = (Instant::now(), self.making(host, lane));
        let mut failed = making.lock().await;
        // Whoever waited meanwhile need not find out once more.
        if failed.is_some_and(|failed| failed > asked) {
            return Err(unavailable(host, "it could not be reached a moment ago"));
        }
        if let Some(session) = self.known(host, lane)
            && session.is_there().await
        {
            return Ok(session);
        }
        if !self.lanes[usize::from(self.lane(lane))].is_connected() {
            return Err(unavailable(host, "there is no connection to NATS"));
        }
        let made = self.make(host, lane).await;
        *failed = made.is_err().then(Instant::now);
        made
    }

    fn known(&self, host: &HostKey, lane: usize) -> Option<Arc<Session>> {
        self.state.lock().to.get(host)?.get(&lane).cloned()
    }

    fn making(&self, host: &HostKey, lane: usize) -> Making {
        Arc::clone(self.state.lock().making.entry((host.clone(), lane)).or_default())
    }

    async fn make(
        self: &Arc<Self>,
        host: &HostKey,
        lane: usize,
    ) -> Result<Arc<Session>, CallError> {
        let asked = handshake::ask(&self.identity, host, self.lane(lane), self.run);
        let (asked, hello) =
            asked.map_err(|_| unavailable(host, "this host's own claims do not hold"))?;
        let id = asked.session();
        let reply = self.reply_subject(self.identity.host(), id);
        let mut way = Way { to: self.call_subject(host, None), reply };
        let (heard_in, heard) = mpsc::channel(HEARD_MAX);
        self.state.lock().slots.insert(id, Slot::Asked(heard_in));
        let forget = ForgetAsked { table: self, id };
        let message = Header::untagged(Kind::Hello, id).message(hello.as_bytes());
        self.send(id, &way, message).await.map_err(|error| unavailable(host, &error))?;
        let waited = timeout(self.settings.handshake, self.welcomed(asked, heard)).await;
        let (established, sealed) = match waited {
            Ok(Some(done)) => done,
            Ok(None) => return Err(unavailable(host, "it is not on the lattice")),
            Err(_) => return Err(unavailable(host, "it did not answer the handshake in time")),
        };
        let confirm = Header::untagged(Kind::Confirm, established.theirs).message(&sealed);
        way.to = self.call_subject(host, Some(established.theirs.lane()));
        self.send(id, &way, confirm).await.map_err(|error| unavailable(host, &error))?;
        let session = self.open_to(host, lane, established, way);
        drop(forget);
        Ok(session)
    }

    /// Waits for a welcome that holds; none when nobody is there.
    async fn welcomed(
        &self,
        asked: Asked,
        mut heard: mpsc::Receiver<Heard>,
    ) -> Option<(Established, Vec<u8>)> {
        let mut nobody = false;
        loop {
            let next = if nobody {
                timeout(NOBODY_GRACE, heard.recv()).await.ok()?
            } else {
                heard.recv().await
            };
            let Heard::Welcome(message) = next? else {
                nobody = true;
                continue;
            };
            let payload = untagged_payload(&message);
            let welcome = std::str::from_utf8(&payload).unwrap_or_default();
            match asked.confirm(&self.identity, welcome) {
                Ok(done) => return Some(done),
                Err(why) => self.refuse(why),
            }
        }
    }

    fn open_to(
        self: &Arc<Self>,
        host: &HostKey,
        lane: usize,
        established: Established,
        way: Way,
    ) -> Arc<Session> {
        // Under the lock, so that a session which ends at once is forgotten after it was noted.
        let mut state = self.state.lock();
        let session = self.drive(established, way);
        state.slots.insert(session.id, Slot::Open(Arc::clone(&session)));
        state.to.entry(host.clone()).or_default().insert(lane, Arc::clone(&session));
        session
    }

    /// Begins to drive a session, of either direction.
    pub(super) fn drive(self: &Arc<Self>, established: Established, way: Way) -> Arc<Session> {
        let handler = self.identity.handler(&established.peer.host());
        let table = Arc::downgrade(self);
        let ended = move |session: &Session| {
            if let Some(table) = table.upgrade() {
                table.forget(session);
            }
        };
        let id = established.session;
        let runtime = self.identity.runtime(usize::from(id.lane()));
        let _driven_there = runtime.enter();
        Session::start(self.lattice(id), self.settings, established, way, handler, ended)
    }

    pub(super) fn reply_subject(&self, host: &HostKey, session: SessionId) -> String {
        let lattice = self.lanes[0].name().clone();
        Subject::Reply { lattice, host: host.clone(), session }.to_string()
    }

    /// Says something of a session whose number on this side is `id`.
    pub(super) async fn send(
        &self,
        id: SessionId,
        way: &Way,
        message: Vec<u8>,
    ) -> Result<(), String> {
        let Way { to, reply } = way.clone();
        let client = self.lattice(id).client();
        let sent = client.publish_with_reply(to, reply, Bytes::from(message)).await;
        sent.map_err(|error| error.to_string())
    }

    /// NATS, or somebody in its name, says that nobody takes a session's messages. A hint, no more.
    pub(super) fn nobody(&self, id: SessionId) {
        let state = self.state.lock();
        match state.slots.get(&id) {
            Some(Slot::Asked(heard)) => {
                let _ = heard.try_send(Heard::Nobody); // who asked looks at what came first
            }
            Some(Slot::Open(session)) => {
                let session = Arc::clone(session);
                drop(state);
                tokio::spawn(async move { session.probe().await });
            }
            Some(Slot::Agreed(_)) | None => {
                drop(state);
                self.refuse(Refused::UnknownSession);
            }
        }
    }
}

/// Takes the place of a handshake away, however it ends, unless a session has taken it.
struct ForgetAsked<'a, I: Identity> {
    table: &'a Table<I>,
    id: SessionId,
}

impl<I: Identity> Drop for ForgetAsked<'_, I> {
    fn drop(&mut self) {
        let mut state = self.table.state.lock();
        if matches!(state.slots.get(&self.id), Some(Slot::Asked(_))) {
            state.slots.remove(&self.id);
        }
    }
}

fn unavailable(host: &HostKey, why: &str) -> CallError {
    CallError::new(ErrorKind::Unavailable, format!("host {host} cannot be called: {why}"))
}
