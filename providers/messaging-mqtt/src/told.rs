//! Messages that an actor is told of, over a connection and in a session of its link's own.
//!
//! The broker keeps what is of QoS 1 and 2 until it is acknowledged, and that is when the actor has handled it. It sends a message
//! again only over a new connection; so the pauses between attempts are kept here, and what waits for one counts among those that the
//! broker may send without an acknowledgement.

mod incoming;
mod listening;
mod message;

use std::{sync::Arc, time::Duration};

use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use tokio::time::sleep;
use tracing::warn;
use wattle_sdk::Burst;
use wattle_sdk::handing::{End, Queue, Queued, Ready, Waiting, Work, queue};

pub(crate) use self::incoming::Incoming;
use self::message::Message;
use crate::{
    connection::{Broken, Hello, OpenError, open},
    reason::is_lasting,
    server::{RECONNECT_PAUSE, REFUSED_PAUSE, Server},
    session::Session,
    settings::Handing,
};

/// Messages of one link that wait for a place at the actor, and the bytes of all that it has not handled. Beyond that nothing is
/// read, and the broker waits.
const QUEUE_LEN_MAX: usize = 8_192;
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// How long a client waits that another of the same name has cut off: two that do not would cut off each other all the time.
const TAKEN_OVER_PAUSE: Duration = Duration::from_secs(10);

/// One link's subscriptions.
pub(crate) struct Told {
    /// Where dead messages go.
    server: Arc<Server>,
    work: Arc<Work>,
    handing: Handing,
    incoming: Arc<Incoming>,
    trouble: Burst,
}

/// Why a connection is not listened to any more.
enum Ended {
    /// The link takes nothing new.
    Link,
    Broken(Broken),
    /// The broker has to send again what nobody has any more.
    Missing,
    /// The broker does not let it listen.
    Refused(String),
}

impl Told {
    /// `incoming` is what the session's messages are known by, also those that the link before this one has given to the actor.
    pub(crate) fn new(
        server: Arc<Server>,
        work: Arc<Work>,
        handing: Handing,
        incoming: Arc<Incoming>,
    ) -> Self {
        Self { server, work, handing, incoming, trouble: Burst::default() }
    }

    /// Listens until the link ends.
    pub(crate) async fn run(self: Arc<Self>, mut session: Session, end: End, mut ready: Ready) {
        let (queue, waiting) = queue(QUEUE_LEN_MAX, QUEUE_BYTES_MAX);
        let giving = self.give(waiting, end.clone());
        let listening = self.listen(&mut session, queue, end, &mut ready);
        futures::join!(giving, listening);
    }

    fn say(&self, what: &'static str, reason: &str) {
        self.trouble.note(|count| warn!(link = self.work.actor.link, count, reason, "{what}"));
    }

    /// Gives what waits to the actor. What nobody keeps is given to it even when the link takes nothing new.
    async fn give(self: &Arc<Self>, mut waiting: Waiting<Message>, mut end: End) {
        loop {
            let next = async {
                let queued = waiting.next().await?;
                let place = match &queued.thing.ticket {
                    Some(_) => tokio::select! {
                        biased;
                        () = end.draining() => None,
                        place = self.work.place() => Some(place),
                    },
                    None => tokio::select! {
                        biased;
                        () = end.deleted() => None,
                        place = self.work.place() => Some(place),
                    },
                };
                Some((queued, place))
            };
            let Some((queued, place)) = next.await else { return };
            let (Some(place), told, end) = (place, Arc::clone(self), end.clone()) else { continue };
            self.work.spawn(async move {
                let Queued { thing, share } = queued;
                thing.handle(told, place, end).await;
                drop(share); // until then its bytes count
            });
        }
    }

    /// Listens over one connection after the other.
    async fn listen(
        &self,
        session: &mut Session,
        queue: Queue<Message>,
        mut end: End,
        ready: &mut Ready,
    ) {
        let (mut clean_start, mut shortest) = (self.handing.clean_start, None);
        loop {
            let hello = Hello {
                client: &session.client,
                clean_start,
                session_expiry: self.handing.session_expiry,
                receive_max: self.handing.receive_max,
            };
            let opened = tokio::select! {
                () = end.draining() => return,
                opened = open(&self.server.login, &hello) => opened,
            };
            let pause = match opened {
                Ok(opened) => {
                    clean_start = false;
                    let expiry = opened.welcome.session_expiry;
                    if expiry < hello.session_expiry && shortest.replace(expiry) != Some(expiry) {
                        let link = self.work.actor.link;
                        warn!(link, seconds = expiry, "the broker keeps sessions less long");
                    }
                    let ended = self.listen_over(opened, session, &queue, &mut end, ready).await;
                    self.incoming.disconnected();
                    let Some(pause) = self.pause_after(ended, ready) else { return };
                    pause
                }
                Err(OpenError::Refused(reason)) => {
                    let reason = self.server.says(&reason);
                    self.say("cannot listen", &reason);
                    ready.say(Err(reason));
                    REFUSED_PAUSE
                }
                // The connection for sending says what is wrong.
                Err(OpenError::Unwilling(_)) => REFUSED_PAUSE,
                Err(OpenError::Unreachable(_)) => RECONNECT_PAUSE,
            };
            tokio::select! {
                () = end.draining() => return,
                () = sleep(pause) => {}
            }
        }
    }

    fn pause_after(&self, ended: Ended, ready: &mut Ready) -> Option<Duration> {
        match ended {
            Ended::Link => None,
            Ended::Missing => Some(RECONNECT_PAUSE),
            Ended::Refused(reason) => {
                let reason = self.server.says(&reason);
                self.say("cannot listen", &reason);
                ready.say(Err(reason));
                Some(REFUSED_PAUSE)
            }
            Ended::Broken(Broken::Disconnected(DisconnectReasonCode::SessionTakenOver)) => {
                let reason =
                    "another client has this host's name at the broker: was its folder copied?";
                self.say("cannot listen for a while", reason);
                Some(TAKEN_OVER_PAUSE)
            }
            // Some brokers say so only by ending the connection.
            Ended::Broken(broken @ Broken::Disconnected(code)) if is_lasting(code) => {
                self.pause_after(Ended::Refused(broken.to_string()), ready)
            }
            Ended::Broken(broken) => {
                self.say("a link's connection broke", &self.server.says(&broken.to_string()));
                Some(RECONNECT_PAUSE)
            }
        }
    }
}
