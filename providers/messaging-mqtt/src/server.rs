//! One link's connection for what is sent: up, or down with a reason, and made again by itself. Links do not share one, as some brokers
//! end the connection of a client that publishes where it may not.
//!
//! While it is down calls fail at once: a message that its sender has given up must not be sent minutes later. One that was not
//! acknowledged when the connection broke is not sent again, either; its sender is told that it may have arrived.

use std::{sync::Arc, time::Duration};

use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Packet, PubAck, PubComp, PubCompReason, PubRec, PubRel, Publish},
};
use tokio::{sync::watch, task::AbortHandle, time::sleep};
use tracing::{info, warn};
use wattle_messaging::{Failure, Kind};
use wattle_sdk::{Burst, Host};

use crate::{
    connection::{Broken, Hello, OpenError, Opened, Reader, Said, Welcome, Writer, open},
    flight::{Flight, IN_FLIGHT_MAX},
    inbox::Inbox,
    login::Login,
    reason::{Taken, of_message},
};

/// Between two attempts to connect. Short enough that a broker that is back serves within a second.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// The same where the broker refuses, or is too busy: it will not have another mind in a moment.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// A connection, kept. It closes with its link.
pub(crate) struct Server {
    pub(crate) login: Login,
    pub(crate) inbox: Arc<Inbox>,
    state: Arc<watch::Sender<State>>,
    keeper: AbortHandle,
}

#[derive(Clone)]
enum State {
    Connecting,
    Up(Arc<Up>),
    Down(Arc<str>),
    /// The broker is there, and this login may not.
    Refused(Arc<str>),
}

/// A connection that is up.
pub(crate) struct Up {
    pub(crate) writer: Writer,
    flight: Flight,
    welcome: Welcome,
}

impl Up {
    /// Sends a message, and comes back when the broker has acknowledged it; one of QoS 0 when it is written.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting; the message may have been sent.
    async fn publish(&self, mut message: Publish) -> Result<Taken, Failure> {
        message.pkid = 1; // until it gets its own, so that its bytes count
        self.check(&message)?;
        let lost = || Failure::new(Kind::Interrupted, "the connection broke");
        if message.qos == QoS::AtMostOnce {
            let slot = self.writer.slot().await.ok_or_else(lost)?;
            let written = slot.send_and_wait(Packet::Publish(message)).await;
            return if written { Ok(Taken::Kept) } else { Err(lost()) };
        }
        let room = self.flight.room().await;
        let slot = self.writer.slot().await.ok_or_else(lost)?;
        let (number, ended) = self.flight.begin(room);
        message.pkid = number;
        slot.send(Packet::Publish(message));
        ended.await.unwrap_or_else(|_| Err(lost()))
    }

    /// What the broker would end the connection for.
    fn check(&self, message: &Publish) -> Result<(), Failure> {
        let (len, max) = (message.size(), self.welcome.packet_len_max);
        if len > max {
            let text = format!("packet of {len} bytes, the broker's limit is {max}");
            return Err(Failure::new(Kind::TooLarge, text));
        }
        if message.qos > self.welcome.max_qos {
            let text = format!("the broker takes QoS {} at most", self.welcome.max_qos as u8);
            return Err(Failure::new(Kind::Failed, text));
        }
        if message.retain && !self.welcome.retains {
            return Err(Failure::new(Kind::Failed, "the broker retains no messages"));
        }
        Ok(())
    }
}

impl Server {
    /// Connects in the background, on one lane's thread, for ever. `inbox` is what the topics of answers begin with.
    pub(crate) fn start(login: Login, inbox: &str, host: &Host, lane: usize) -> Self {
        let state = Arc::new(watch::Sender::new(State::Connecting));
        let inbox = Arc::new(Inbox::new(inbox));
        let keeper = keep(login.clone(), Arc::clone(&inbox), Arc::clone(&state));
        let keeper = host.spawn_on(lane, keeper).abort_handle();
        Self { login, inbox, state, keeper }
    }

    /// Sends a message over the connection that there is now.
    pub(crate) async fn publish(&self, message: Publish) -> Result<Taken, Failure> {
        let published = self.up()?.publish(message).await;
        published.map_err(|failure| Failure::new(failure.kind, self.says(&failure.message)))
    }

    /// The connection, if it is up.
    pub(crate) fn up(&self) -> Result<Arc<Up>, Failure> {
        let reason = match &*self.state.borrow() {
            State::Up(up) => return Ok(Arc::clone(up)),
            State::Connecting => "not connected yet".into(),
            State::Down(reason) | State::Refused(reason) => Arc::clone(reason),
        };
        Err(Failure::new(Kind::Unavailable, self.says(&reason)))
    }

    /// Comes back when this connection is not the one that is up.
    pub(crate) async fn lost(&self, up: &Arc<Up>) {
        let mut state = self.state.subscribe();
        let is_it = |state: &State| matches!(state, State::Up(now) if Arc::ptr_eq(now, up));
        let _ = state.wait_for(|state| !is_it(state)).await; // its sender is this server's
    }

    /// Why the broker refuses this login, if it does; known once the first attempt to connect has ended.
    pub(crate) async fn refusal(&self) -> Option<String> {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
            Ok(State::Refused(reason)) => Some(self.says(reason)),
            _ => None,
        }
    }

    /// The broker's name in front of what is wrong with it.
    pub(crate) fn says(&self, reason: &str) -> String {
        format!("mqtt at {}: {reason}", self.login)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Connects, and connects again whenever the connection breaks, for ever. Says so in the log once per change, and not all
/// the time where it does not last.
async fn keep(login: Login, inbox: Arc<Inbox>, state: Arc<watch::Sender<State>>) {
    // The session is the connection's alone, so nobody else may have its name.
    let client = format!("wattle{:016x}", rand::random::<u64>());
    let hello =
        Hello { client: &client, clean_start: true, session_expiry: 0, receive_max: IN_FLIGHT_MAX };
    let (connected, broken, mut said) = (Burst::default(), Burst::default(), None);
    loop {
        let mut pause = RECONNECT_PAUSE;
        match open(&login, &hello).await {
            Ok(Opened { reader, writer, welcome, driver }) => {
                connected.note(|count| info!(mqtt = %login, count, "connected"));
                said = None;
                let flight = Flight::new(welcome.receive_max);
                let up = Arc::new(Up { writer, flight, welcome });
                inbox.connected(&up.writer);
                state.send_replace(State::Up(Arc::clone(&up)));
                let reason = listen(reader, driver, &up, &inbox).await.to_string();
                broken.note(|count| warn!(mqtt = %login, count, reason, "connection lost"));
                state.send_replace(State::Down(reason.into()));
                up.flight.end_all();
            }
            Err(error) => {
                if said.as_ref() != Some(&error) {
                    warn!(mqtt = %login, reason = error.reason(), "cannot connect");
                    said = Some(error.clone());
                }
                state.send_replace(match error {
                    OpenError::Unreachable(reason) => State::Down(reason.into()),
                    OpenError::Unwilling(reason) => {
                        pause = REFUSED_PAUSE;
                        State::Down(reason.into())
                    }
                    OpenError::Refused(reason) => {
                        pause = REFUSED_PAUSE;
                        State::Refused(reason.into())
                    }
                });
            }
        }
        sleep(pause).await;
    }
}

/// Takes what the broker says until the connection breaks.
async fn listen(
    mut reader: Reader,
    mut driver: crate::connection::Driver,
    up: &Up,
    inbox: &Inbox,
) -> Broken {
    loop {
        let said = tokio::select! {
            said = reader.next() => said,
            _ = &mut driver.0 => return Broken::Lost("it cannot be written to".into()),
        };
        match said {
            Ok(said) => hear(said, up, inbox),
            Err(broken) => return broken,
        }
    }
}

fn hear(said: Said, up: &Up, inbox: &Inbox) {
    let packet = match said {
        Said::Acknowledged { number, reason } => {
            return up.flight.ended(number, of_message(reason));
        }
        Said::Received { number, reason } => {
            if up.flight.received(number, of_message(reason)) {
                up.writer.say(Packet::PubRel(PubRel::new(number, None)));
            }
            return;
        }
        Said::Packet(packet) => packet,
    };
    match packet {
        Packet::PubComp(comp) => {
            // A broker that does not know the number any more has handed the message on.
            let (PubCompReason::Success | PubCompReason::PacketIdentifierNotFound) = comp.reason;
            up.flight.ended(comp.pkid, Ok(Taken::Kept));
        }
        Packet::SubAck(ack) => inbox.subscribed(&ack.return_codes),
        Packet::Publish(message) => {
            match message.qos {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => up.writer.say(Packet::PubAck(PubAck::new(message.pkid, None))),
                QoS::ExactlyOnce => up.writer.say(Packet::PubRec(PubRec::new(message.pkid, None))),
            }
            inbox.answered(&message);
        }
        Packet::PubRel(rel) => up.writer.say(Packet::PubComp(PubComp::new(rel.pkid, None))),
        _ => {} // a sign of life
    }
}
