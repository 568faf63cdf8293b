//! What a broker is told: in the order in which it was said, many packets at a time, acknowledgements first.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{Disconnect, DisconnectReasonCode, Packet, PingReq};
use tokio::{
    io::{AsyncWriteExt as _, WriteHalf},
    sync::{
        mpsc::{self, Permit},
        oneshot,
    },
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::Socket;

/// Messages that wait to be written; whoever sends more waits.
const MESSAGES_MAX: usize = 256;

/// Acknowledgements and the like that wait to be written. There are never as many, as a broker may send only so many messages.
const WORDS_MAX: usize = 32 * 1024;

/// Bytes that are written at once, where messages are small.
const WRITE_LEN: usize = 64 * 1024;

/// Signs of life that are asked for within the longest silence.
const PINGS: u32 = 5;

/// Between two of them, at most: a broker may say that it waits less long than the login says.
const PING_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long the last word may take.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// What waits to be written.
struct Message {
    packet: Packet,
    written: Option<oneshot::Sender<()>>,
}

/// Writes packets to a connection.
#[derive(Clone)]
pub(crate) struct Writer {
    messages: mpsc::Sender<Message>,
    words: mpsc::Sender<Packet>,
}

/// Room for one message.
pub(crate) struct Slot<'a>(Permit<'a, Message>);

impl Slot<'_> {
    /// Has it written.
    pub(crate) fn send(self, packet: Packet) {
        self.0.send(Message { packet, written: None });
    }

    /// The same, and comes back when it is, or never will be.
    pub(crate) async fn send_and_wait(self, packet: Packet) -> bool {
        let (written, is_written) = oneshot::channel();
        self.0.send(Message { packet, written: Some(written) });
        is_written.await.is_ok()
    }
}

impl Writer {
    /// Room for a message once there is some; none once the connection is broken.
    pub(crate) async fn slot(&self) -> Option<Slot<'_>> {
        self.messages.reserve().await.ok().map(Slot)
    }

    /// Says something short. Never waits; over a connection that broke it is lost.
    pub(crate) fn say(&self, packet: Packet) {
        let _ = self.words.try_send(packet); // there is room as long as anything is written
    }

    /// Ends the connection in order, after all that was said before.
    pub(crate) async fn farewell(&self) {
        let farewell = async {
            if let Some(slot) = self.slot().await {
                let last = Disconnect::new(DisconnectReasonCode::NormalDisconnection);
                slot.send_and_wait(Packet::Disconnect(last)).await;
            }
        };
        let _ = timeout(FAREWELL_WAIT, farewell).await; // a broker that hangs hears none
    }
}

pub(super) fn start(
    socket: WriteHalf<Box<dyn Socket>>,
    silence_max: Duration,
) -> (Writer, JoinHandle<()>) {
    let (messages, to_write) = mpsc::channel(MESSAGES_MAX);
    let (words, to_say) = mpsc::channel(WORDS_MAX);
    let ping_pause = (silence_max / PINGS).min(PING_PAUSE_MAX);
    let task = tokio::spawn(write(socket, to_write, to_say, ping_pause));
    (Writer { messages, words }, task)
}

/// Writes until the connection breaks.
async fn write(
    mut socket: WriteHalf<Box<dyn Socket>>,
    mut messages: mpsc::Receiver<Message>,
    mut words: mpsc::Receiver<Packet>,
    ping_pause: Duration,
) {
    let mut buffer = BytesMut::with_capacity(WRITE_LEN);
    let mut written = Vec::new();
    let mut pings = interval_at(Instant::now() + ping_pause, ping_pause);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            biased;
            // First, as whoever sends without a pause would have the broker seem silent.
            _ = pings.tick() => Message { packet: Packet::PingReq(PingReq), written: None },
            Some(packet) = words.recv() => Message { packet, written: None },
            message = messages.recv() => match message {
                Some(message) => message,
                None => return, // nobody is left who could say anything
            },
        };
        let mut next = Some(first);
        while let Some(message) = next {
            if message.packet.write(&mut buffer, None).is_ok() {
                written.extend(message.written);
            }
            let mut more = || words.try_recv().ok().map(|packet| Message { packet, written: None });
            next = match buffer.len() < WRITE_LEN {
                true => more().or_else(|| messages.try_recv().ok()),
                false => None,
            };
        }
        if socket.write_all(&buffer).await.is_err() || socket.flush().await.is_err() {
            return; // whoever reads finds out why
        }
        buffer.clear();
        if buffer.capacity() > 4 * WRITE_LEN {
            buffer = BytesMut::with_capacity(WRITE_LEN); // a long message was written, most are not
        }
        for written in written.drain(..) {
            let _ = written.send(()); // whoever sent it may have given up
        }
    }
}

/// A writer over a connection that broke.
#[cfg(test)]
pub(crate) fn writer_of_nobody() -> Writer {
    Writer { messages: mpsc::channel(1).0, words: mpsc::channel(1).0 }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::{QoS, v5::Publish};
    use tokio::io::{AsyncReadExt as _, duplex, split};

    use super::*;

    #[tokio::test]
    async fn signs_of_life_are_asked_for_between_messages_without_a_pause() {
        const LEN: usize = WRITE_LEN;
        let (ours, mut theirs) = duplex(1_024);
        let ours: Box<dyn Socket> = Box::new(ours);
        let (_reading, writing) = split(ours);
        let (writer, _driver) = start(writing, Duration::from_millis(100));
        for _ in 0..20 {
            let message = Publish::new("a", QoS::AtMostOnce, vec![7; LEN], None);
            writer.slot().await.expect("room").send(Packet::Publish(message));
        }
        let mut first_kinds = Vec::new();
        while first_kinds.len() < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await; // the next sign of life is due
            let (kind, mut len) = (theirs.read_u8().await.expect("a packet"), 0);
            for shift in (0..).step_by(7) {
                let byte = theirs.read_u8().await.expect("a length");
                len |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            theirs.read_exact(&mut vec![0; len]).await.expect("a whole packet");
            first_kinds.push(kind);
        }
        assert!(first_kinds.contains(&0xc0), "only messages: {first_kinds:x?}");
    }
}
