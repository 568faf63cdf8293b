//! Which of a session's messages are with the actor, by the number that the broker gave them, and how the broker hears of their end.
//!
//! A broker sends again what was not acknowledged over a connection that broke. What is still with the actor is not given to it a
//! second time then, and what it has handled meanwhile is acknowledged at once.

use std::collections::HashMap;

use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Packet, PubAck, PubComp, PubRec},
};

use crate::connection::Writer;

/// One link's.
#[derive(Default)]
pub(super) struct Incoming(Mutex<State>);

#[derive(Default)]
struct State {
    /// The connection that there is, by number; none has 0. A number of its own stands for none after one.
    connection: u64,
    writer: Option<Writer>,
    next: u64,
    taken: HashMap<u16, Taken>,
}

struct Taken {
    ticket: Ticket,
    /// Of its topic and body.
    print: u64,
    /// Over which connection the broker has sent it last.
    connection: u64,
    handled: bool,
}

/// A message that is with the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    id: u64,
    number: u16,
    qos: QoS,
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
        let mut state = self.0.lock();
        state.connection += 1;
        state.writer = Some(writer);
        if !resumed {
            state.taken.clear();
        }
    }

    /// The connection broke. What is handled before there is another is acknowledged when the broker sends it again.
    pub(super) fn disconnected(&self) {
        let mut state = self.0.lock();
        state.connection += 1;
        state.writer = None;
    }

    /// A message has come: the ticket for giving it to the actor, or nothing where it is there already.
    pub(super) fn arrives(&self, arrival: Arrival) -> Option<Ticket> {
        let mut state = self.0.lock();
        let connection = state.connection;
        if let Some(taken) = state.taken.get_mut(&arrival.number)
            && arrival.again
            && taken.print == arrival.print
            && taken.ticket.qos == arrival.qos
        {
            taken.connection = connection;
            if taken.handled {
                let ticket = taken.ticket;
                state.acknowledge(ticket);
            }
            return None;
        }
        state.next += 1;
        let ticket = Ticket { id: state.next, number: arrival.number, qos: arrival.qos };
        let taken = Taken { ticket, print: arrival.print, connection, handled: false };
        state.taken.insert(arrival.number, taken);
        Some(ticket)
    }

    /// The message was handled: the broker hears it now, or when it sends the message again.
    pub(super) fn handled(&self, ticket: Ticket) {
        let mut state = self.0.lock();
        let connection = state.connection;
        let Some(taken) = state.taken.get_mut(&ticket.number) else { return };
        if taken.ticket != ticket {
            return; // of a session that is gone
        }
        taken.handled = true;
        if taken.connection == connection {
            state.acknowledge(ticket);
        }
    }

    /// The broker goes on with a message of QoS 2: its number is free.
    pub(super) fn released(&self, number: u16) {
        let mut state = self.0.lock();
        if state.taken.get(&number).is_some_and(|taken| taken.handled) {
            state.taken.remove(&number);
        }
        if let Some(writer) = &state.writer {
            writer.say(Packet::PubComp(PubComp::new(number, None)));
        }
    }
}

impl State {
    fn acknowledge(&mut self, ticket: Ticket) {
        let Some(writer) = &self.writer else { return };
        let Ticket { number, qos, .. } = ticket;
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

    #[test]
    fn what_is_with_the_actor_is_not_given_to_it_again() {
        let incoming = Incoming::default();
        incoming.connected(writer_of_nobody(), false);
        let ticket = incoming.arrives(arrival(false, 1)).expect("it is new");
        incoming.connected(writer_of_nobody(), true);
        assert_eq!(incoming.arrives(arrival(true, 1)), None);
        incoming.handled(ticket);
        assert!(incoming.0.lock().taken.is_empty(), "it was acknowledged over the new connection");
        assert!(incoming.arrives(arrival(true, 1)).is_some(), "the broker has not heard it");
    }

    #[test]
    fn what_was_handled_while_the_broker_was_away_is_acknowledged_when_it_comes_again() {
        let incoming = Incoming::default();
        incoming.connected(writer_of_nobody(), false);
        for is_back in [false, true] {
            let ticket = incoming.arrives(arrival(false, 1)).expect("it is new");
            incoming.disconnected();
            if is_back {
                incoming.connected(writer_of_nobody(), true);
            }
            incoming.handled(ticket);
            let known = incoming.0.lock().taken.len();
            assert_eq!(known, 1, "over the old connection nobody would hear it");
            if !is_back {
                incoming.connected(writer_of_nobody(), true);
            }
            assert_eq!(incoming.arrives(arrival(true, 1)), None);
            assert!(incoming.0.lock().taken.is_empty());
        }
    }

    #[test]
    fn another_message_of_the_same_number_is_another() {
        let incoming = Incoming::default();
        incoming.connected(writer_of_nobody(), false);
        let first = incoming.arrives(arrival(false, 1)).expect("it is new");
        for other in [arrival(true, 2), arrival(false, 1)] {
            assert!(incoming.arrives(other).is_some_and(|ticket| ticket != first));
        }
        incoming.connected(writer_of_nobody(), false);
        incoming.handled(first);
        assert!(incoming.arrives(arrival(true, 1)).is_some(), "another session's");
    }

    #[test]
    fn a_message_of_qos_2_is_known_until_the_broker_goes_on() {
        let incoming = Incoming::default();
        incoming.connected(writer_of_nobody(), false);
        let of = |again| Arrival { qos: QoS::ExactlyOnce, ..arrival(again, 1) };
        let ticket = incoming.arrives(of(false)).expect("it is new");
        incoming.handled(ticket);
        incoming.connected(writer_of_nobody(), true);
        assert_eq!(incoming.arrives(of(true)), None, "once, although the broker did not hear it");
        incoming.released(7);
        assert!(incoming.arrives(of(false)).is_some());
    }
}
