//! Which of a session's messages are with the actor, by the number that the broker gave them, and how the broker hears of their end.
//!
//! A broker sends again what was not acknowledged over a connection that broke. What is still with the actor is not given to it a
//! second time then, and what it has handled meanwhile is acknowledged at once. So it is where the link was changed: what the actor was
//! given before is in no other hands, and what those let go is asked for again.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Packet, PubAck, PubComp, PubRec},
};
use tokio::sync::watch;

use crate::connection::Writer;

/// One session's.
#[derive(Default)]
pub(crate) struct Incoming {
    state: Mutex<State>,
    /// Whether the broker has sent something over the connection that there is that nobody has any more.
    missing: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// The connection that there is, by number; none has 0. A number of its own stands for none after one.
    connection: u64,
    writer: Option<Writer>,
    next: u64,
    taken: HashMap<u16, Taken>,
}

struct Taken {
    /// Of its ticket.
    id: u64,
    qos: QoS,
    /// Of its topic and body.
    print: u64,
    /// Over which connection the broker has sent it last.
    connection: u64,
    handled: bool,
}

/// A message that is with the actor, or waits for it. One whose ticket is dropped was not handled: the broker has to send it again.
#[must_use]
pub(super) struct Ticket {
    incoming: Arc<Incoming>,
    id: u64,
    number: u16,
}

impl Ticket {
    /// The message was handled: the broker hears it now, or when it sends the message again.
    pub(super) fn handled(self) {
        self.incoming.handled(self.id, self.number);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.incoming.left(self.id, self.number);
    }
}

/// A message as it comes.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) number: u16,
    pub(super) qos: QoS,
    /// The broker says that it has sent it before.
    pub(super) again: bool,
    pub(super) print: u64,
}

impl Incoming {
    /// There is a new connection. Without the session that there was, the broker knows nothing of what came before.
    pub(super) fn connected(&self, writer: Writer, resumed: bool) {
        let mut state = self.state.lock();
        state.connection += 1;
        state.writer = Some(writer);
        if !resumed {
            state.taken.clear();
        }
        self.missing.send_replace(false);
    }

    /// The connection broke. What is handled before there is another is acknowledged when the broker sends it again.
    pub(super) fn disconnected(&self) {
        let mut state = self.state.lock();
        state.connection += 1;
        state.writer = None;
    }

    /// Comes back when the broker is to send something again: it does so over a new connection only.
    pub(super) async fn missing(&self) {
        let mut missing = self.missing.subscribe();
        let _ = missing.wait_for(|missing| *missing).await; // its sender is here
    }

    /// A message has come: the ticket for giving it to the actor, or nothing where it is there already.
    pub(super) fn arrives(self: &Arc<Self>, arrival: Arrival) -> Option<Ticket> {
        let mut state = self.state.lock();
        let Arrival { number, qos, again, print } = arrival;
        let connection = state.connection;
        if let Some(taken) = state.taken.get_mut(&number)
            && again
            && taken.print == print
            && taken.qos == qos
        {
            taken.connection = connection;
            if taken.handled {
                state.acknowledge(number, qos);
            }
            return None;
        }
        state.next += 1;
        let id = state.next;
        state.taken.insert(number, Taken { id, qos, print, connection, handled: false });
        Some(Ticket { incoming: Arc::clone(self), id, number })
    }

    fn handled(&self, id: u64, number: u16) {
        let mut state = self.state.lock();
        let connection = state.connection;
        let Some(taken) = state.taken.get_mut(&number) else { return };
        if taken.id != id {
            return; // of a session that is gone
        }
        taken.handled = true;
        if taken.connection == connection {
            let qos = taken.qos;
            state.acknowledge(number, qos);
        }
    }

    /// Nobody has the message any more, unless it was handled.
    fn left(&self, id: u64, number: u16) {
        let mut state = self.state.lock();
        let Some(taken) = state.taken.get(&number) else { return };
        if taken.id != id || taken.handled {
            return;
        }
        if taken.connection == state.connection {
            self.missing.send_replace(true);
        }
        state.taken.remove(&number);
    }

    /// The broker goes on with a message of QoS 2: its number is free.
    pub(super) fn released(&self, number: u16) {
        let mut state = self.state.lock();
        if state.taken.get(&number).is_some_and(|taken| taken.handled) {
            state.taken.remove(&number);
        }
        if let Some(writer) = &state.writer {
            writer.say(Packet::PubComp(PubComp::new(number, None)));
        }
    }
}

impl State {
    fn acknowledge(&mut self, number: u16, qos: QoS) {
        let Some(writer) = &self.writer else { return };
        if qos == QoS::ExactlyOnce {
            // It stays known until the broker has heard that: it does not give the number to another before.
            return writer.say(Packet::PubRec(PubRec::new(number, None)));
        }
        writer.say(Packet::PubAck(PubAck::new(number, None)));
        self.taken.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::writer_of_nobody;

    fn arrival(again: bool, print: u64) -> Arrival {
        Arrival { number: 7, qos: QoS::AtLeastOnce, again, print }
    }

    fn connected() -> Arc<Incoming> {
        let incoming = Arc::new(Incoming::default());
        incoming.connected(writer_of_nobody(), false);
        incoming
    }

    fn known(incoming: &Incoming) -> usize {
        incoming.state.lock().taken.len()
    }

    #[test]
    fn what_is_with_the_actor_is_not_given_to_it_again() {
        let incoming = connected();
        let ticket = incoming.arrives(arrival(false, 1)).expect("it is new");
        incoming.connected(writer_of_nobody(), true);
        assert!(incoming.arrives(arrival(true, 1)).is_none());
        ticket.handled();
        assert_eq!(known(&incoming), 0, "it was acknowledged over the new connection");
        assert!(incoming.arrives(arrival(true, 1)).is_some(), "the broker has not heard it");
    }

    #[test]
    fn what_was_handled_while_the_broker_was_away_is_acknowledged_when_it_comes_again() {
        let incoming = connected();
        for is_back in [false, true] {
            let ticket = incoming.arrives(arrival(false, 1)).expect("it is new");
            incoming.disconnected();
            if is_back {
                incoming.connected(writer_of_nobody(), true);
            }
            ticket.handled();
            assert_eq!(known(&incoming), 1, "over the old connection nobody would hear it");
            if !is_back {
                incoming.connected(writer_of_nobody(), true);
            }
            assert!(incoming.arrives(arrival(true, 1)).is_none());
            assert_eq!(known(&incoming), 0);
        }
    }

    #[test]
    fn another_message_of_the_same_number_is_another() {
        let incoming = connected();
        let first = incoming.arrives(arrival(false, 1)).expect("it is new");
        let second = incoming.arrives(arrival(true, 2)).expect("it is another");
        let third = incoming.arrives(arrival(false, 1)).expect("a third");
        for gone in [first, second] {
            gone.handled();
            assert_eq!(known(&incoming), 1, "the third is under way");
        }
        incoming.connected(writer_of_nobody(), false);
        third.handled();
        assert!(incoming.arrives(arrival(true, 1)).is_some(), "another session's");
    }

    #[test]
    fn what_nobody_has_any_more_is_asked_for_where_the_broker_would_not_send_it_by_itself() {
        let incoming = connected();
        let is_missing = || *incoming.missing.borrow();
        let ticket = incoming.arrives(arrival(false, 1)).expect("it is new");
        incoming.connected(writer_of_nobody(), true);
        drop(ticket);
        assert!(!is_missing(), "it is still to come over this connection");
        let ticket = incoming.arrives(arrival(true, 1)).expect("nobody has it");
        incoming.connected(writer_of_nobody(), true);
        assert!(incoming.arrives(arrival(true, 1)).is_none());
        drop(ticket);
        assert!(is_missing(), "the broker takes it to be here");
        incoming.connected(writer_of_nobody(), true);
        assert!(!is_missing() && incoming.arrives(arrival(true, 1)).is_some());
    }

    #[test]
    fn a_message_of_qos_2_is_known_until_the_broker_goes_on() {
        let incoming = connected();
        let of = |again| Arrival { qos: QoS::ExactlyOnce, ..arrival(again, 1) };
        incoming.arrives(of(false)).expect("it is new").handled();
        incoming.connected(writer_of_nobody(), true);
        assert!(incoming.arrives(of(true)).is_none(), "once, although the broker did not hear it");
        incoming.released(7);
        assert!(incoming.arrives(of(false)).is_some());
    }
}
