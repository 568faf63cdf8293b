//! One session: what drives it, and what arrives for it.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    time::{Instant, sleep},
};
use wattle_claims::CurvePair;
use wattle_core::{CurveKey, HostKey, SessionId};
use wattle_wire::{Closed, Connection, Handler, Intake, Outlet, frame::Frame};

use super::{
    Peer, Refused, SessionSettings,
    envelope::{HEADER_LEN, Header, Kind, Part, TAG_LEN},
    handshake::Established,
    seal::{Key, Opened, Opener, Sealer, cut},
};
use crate::Lattice;

/// Messages that wait for a session's own task; what comes on top is dropped, and fails what it belongs to.
const WAITING_MAX: usize = 256;
/// The most bytes of a message: enough for the largest data frame, and little enough that sessions take turns.
const MESSAGE_LEN_MAX: usize = 128 * 1024;
/// A session that said something so recently is used without asking whether the other end is still there.
const FRESH: Duration = Duration::from_secs(1);

/// A message of so many bytes may take long on a slow line, and the sender's question whether anybody is there comes behind it. So
/// who receives one says something by itself, if it has said nothing for so long.
const LARGE: usize = 16 * 1024;
const QUIET_MAX: Duration = Duration::from_millis(100);

/// Where a session's messages go.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The other end's subject.
    pub(super) to: String,
    /// Where NATS says that nobody is there.
    pub(super) reply: String,
}

/// One session, established.
pub(super) struct Session {
    pub(super) id: SessionId,
    /// The other end's number for it.
    pub(super) theirs: SessionId,
    pub(super) peer: Peer,
    pub(super) host: HostKey,
    pub(super) connection: Connection,
    lattice: Lattice,
    settings: SessionSettings,
    way: Way,
    curve: Arc<CurvePair>,
    their_curve: CurveKey,
    sealer: Mutex<Sealer>,
    opener: Mutex<Opener>,
    waiting: mpsc::Sender<Bytes>,
    born: Instant,
    /// When something genuine came last, in milliseconds since `born`.
    heard_ms: AtomicU64,
    /// When this side said something last.
    said_ms: AtomicU64,
    probing: AsyncMutex<()>,
    /// The other end takes no new calls.
    leaving: AtomicBool,
}

impl Session {
    /// Begins to drive a session; `ended` is called once it is over.
    pub(super) fn start<H: Handler>(
        lattice: &Lattice,
        settings: SessionSettings,
        established: Established,
        way: Way,
        handler: Arc<H>,
        ended: impl FnOnce(&Self) + Send + 'static,
    ) -> Arc<Self> {
        let Established { peer, session, theirs, curve, their_curve, sealer, opener } = established;
        let (connection, intake, outlet) = Connection::carried(settings.limits, handler);
        let (waiting, arrived) = mpsc::channel(WAITING_MAX);
        let this = Arc::new(Self {
            id: session,
            theirs,
            host: peer.host(),
            peer,
            connection,
            lattice: lattice.clone(),
            settings,
            way,
            curve,
            their_curve,
            sealer: Mutex::new(sealer),
            opener: Mutex::new(opener),
            waiting,
            born: Instant::now(),
            heard_ms: AtomicU64::new(0),
            said_ms: AtomicU64::new(0),
            probing: AsyncMutex::new(()),
            leaving: AtomicBool::new(false),
        });
        tokio::spawn(take(this.connection.clone(), intake, arrived));
        let driven = Arc::clone(&this);
        tokio::spawn(async move {
            driven.drive(outlet).await;
            driven.connection.fail(&Closed::Here);
            ended(&driven);
        });
        this
    }

    /// Takes a message for this session, whoever it is from.
    pub(super) fn receive(&self, header: &Header, message: &Bytes) -> Result<(), Refused> {
        let opened = self.opener.lock().open(header, message)?;
        let now_ms = self.now_ms();
        self.heard_ms.store(now_ms, Relaxed);
        let quiet = Duration::from_millis(now_ms.saturating_sub(self.said_ms.load(Relaxed)));
        if message.len() >= LARGE && quiet >= QUIET_MAX {
            self.show_life();
        }
        match opened {
            Opened::Part => Ok(()),
            Opened::Frames(frames) => self.waiting.try_send(frames).map_err(|_| Refused::Dropped),
            Opened::Other(kind, payload) => self.told(kind, &payload),
        }
    }

    /// An answer to no question.
    fn show_life(&self) {
        let mut pong = Vec::new();
        Frame::Pong { nonce: u64::MAX }.encode(&mut pong);
        self.say(Kind::Frames, &pong);
    }

    fn told(&self, kind: Kind, payload: &Bytes) -> Result<(), Refused> {
        match kind {
            Kind::Rekey => {
                let opened = self.curve.open(payload, &self.their_curve);
                let key = opened.ok().and_then(|bytes| Key::from_bytes(&bytes));
                let number = self.opener.lock().expect(key.ok_or(Refused::Malformed)?);
                self.say(Kind::Rekeyed, &[number]);
            }
            Kind::Rekeyed => {
                let [number] = payload[..] else { return Err(Refused::Malformed) };
                self.sealer.lock().advance(number);
            }
            Kind::Bye if self.is_for_own_calls() => {
                self.leaving.store(true, Relaxed);
                self.end_if_left();
            }
            Kind::Bye => self.connection.fail(&Closed::There),
            Kind::Frames | Kind::Hello | Kind::Welcome | Kind::Confirm => {
                return Err(Refused::Malformed);
            }
        }
        Ok(())
    }

    /// Whether it takes calls, and the other end said something of late.
    pub(super) fn is_fresh(&self) -> bool {
        self.takes_calls() && self.silent_for() < FRESH
    }

    /// Whether the other end is there, as far as is known; if it was silent for a while it is asked.
    pub(super) async fn is_there(&self) -> bool {
        self.is_fresh() || (self.takes_calls() && self.probe().await)
    }

    fn takes_calls(&self) -> bool {
        !self.connection.is_closed() && !self.is_left()
    }

    /// Asks for a sign of life; a session without one has ended. One question at a time.
    pub(super) async fn probe(&self) -> bool {
        let asked = Instant::now();
        let _one = self.probing.lock().await;
        if asked.elapsed() > self.silent_for() {
            return true; // something came while this waited
        }
        let answered = self.connection.ping(self.settings.silence).await.is_ok();
        // The answer may wait behind much else that the other end says, as the question may on its way there.
        let is_there =
            answered || (!self.connection.is_closed() && asked.elapsed() > self.silent_for());
        if !is_there {
            self.say(Kind::Bye, &[]);
            self.connection.fail(&Closed::There);
        }
        is_there
    }

    /// Whether this side makes the calls of this session.
    pub(super) const fn is_for_own_calls(&self) -> bool {
        matches!(self.peer, Peer::Responder(_))
    }

    /// Whether the other end said that it takes no new calls.
    pub(super) fn is_left(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// Ends a session whose other end waits for that, once the calls under way are done.
    fn end_if_left(&self) {
        if self.is_left() && self.connection.in_flight() == 0 {
            self.end();
        }
    }

    /// Asks the other end, which makes the calls, to make no more; it ends the session when those under way are done.
    pub(super) fn leave(&self) {
        self.say(Kind::Bye, &[]);
    }

    /// Ends the session, telling the other end.
    pub(super) fn end(&self) {
        self.say(Kind::Bye, &[]);
        self.connection.fail(&Closed::Here);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn silent_for(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.heard_ms.load(Relaxed)))
    }

    async fn drive(self: &Arc<Self>, mut outlet: Outlet) {
        let mut look = pin!(sleep(self.settings.silence));
        loop {
            tokio::select! {
                () = self.connection.closed() => return,
                frames = outlet.next() => match frames {
                    Some(frames) => {
                        let messages = self.seal(frames);
                        if !self.publish(messages).await {
                            return;
                        }
                    }
                    None => return self.end(),
                },
                () = look.as_mut() => {
                    self.tend();
                    look.as_mut().reset(Instant::now() + self.next_look());
                }
            }
        }
    }

    /// What is due from time to time: whether a silent peer is still there, and a new key.
    fn tend(self: &Arc<Self>) {
        self.end_if_left();
        let busy = self.connection.in_flight() > 0 || self.connection.jobs() > 0;
        let (time, messages) = self.sealer.lock().used();
        let is_old = time > self.settings.key_time || messages > self.settings.key_messages;
        // One that is idle is asked when its key is old: its other end may have forgotten it, or be gone for good.
        if (busy || is_old) && self.silent_for() >= self.settings.silence {
            // Beside the sending, which the question needs.
            let this = Arc::clone(self);
            tokio::spawn(async move { this.probe().await });
        }
        if is_old {
            let key = self.sealer.lock().next_key();
            if let Ok(sealed) = self.curve.seal(key.as_bytes(), &self.their_curve) {
                self.say(Kind::Rekey, &sealed);
            }
        }
    }

    /// In how long the peer has been silent for so long that it is asked, unless it says something until then.
    fn next_look(&self) -> Duration {
        let left = self.settings.silence.saturating_sub(self.silent_for());
        if left.is_zero() { self.settings.silence } else { left + Duration::from_millis(1) }
    }

    /// Frames as messages. Parts of one frame have counters in a row, so all are sealed at once.
    fn seal(&self, frames: &[u8]) -> Vec<Bytes> {
        let server_max = self.lattice.client().max_payload();
        let max = MESSAGE_LEN_MAX.min(server_max.saturating_sub(HEADER_LEN + TAG_LEN)).max(1);
        let mut sealer = self.sealer.lock();
        let pieces = cut(frames, max).into_iter();
        pieces.map(|(part, piece)| sealer.seal(Kind::Frames, part, piece)).collect()
    }

    /// Gives messages to NATS as fast as it takes them. Whether the session goes on.
    async fn publish(&self, messages: Vec<Bytes>) -> bool {
        for message in messages {
            self.said_ms.store(self.now_ms(), Relaxed);
            let Way { to, reply } = self.way.clone();
            let sent = self.lattice.client().publish_with_reply(to, reply, message);
            tokio::select! {
                sent = sent => if let Err(error) = sent {
                    tracing::warn!(%error, host = %self.host, "a session's message was not sent");
                    return false;
                },
                () = self.connection.closed() => return false,
            }
        }
        true
    }

    /// Says something beside the frames, without waiting; what must arrive is said again.
    fn say(&self, kind: Kind, payload: &[u8]) {
        let message = self.sealer.lock().seal(kind, Part::Whole, payload);
        self.said_ms.store(self.now_ms(), Relaxed);
        self.lattice.try_publish(self.way.to.clone(), None, message);
    }
}

async fn take<H: Handler>(
    connection: Connection,
    mut intake: Intake<H>,
    mut arrived: mpsc::Receiver<Bytes>,
) {
    loop {
        let frames = tokio::select! {
            frames = arrived.recv() => frames,
            () = connection.closed() => return,
        };
        let Some(frames) = frames else { return };
        if let Err(closed) = intake.take(frames).await {
            tracing::warn!(%closed, "a session broke");
            return;
        }
    }
}
