//! Messages on their way to a broker, by number, until it acknowledges them.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wattle_messaging::Failure;

use crate::reason::Taken;

/// Messages of one connection that are not acknowledged, at most, whatever the broker would take.
pub(crate) const IN_FLIGHT_MAX: u16 = 1_024;

/// Numbers of messages. Those above are for what else has one.
const NUMBER_MAX: u16 = 60_000;

/// One connection's.
pub(crate) struct Flight {
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u16,
    /// The connection broke: nothing ends any more.
    broken: bool,
    under_way: HashMap<u16, UnderWay>,
}

struct UnderWay {
    end: oneshot::Sender<Result<Taken, Failure>>,
    /// What was said first of a message of QoS 2: the end of it says less.
    received: Taken,
    _room: OwnedSemaphorePermit,
}

impl Flight {
    /// For a broker that takes so many at once.
    pub(crate) fn new(receive_max: u16) -> Self {
        let room = Semaphore::new(usize::from(receive_max.clamp(1, IN_FLIGHT_MAX)));
        Self { room: Arc::new(room), state: Mutex::default() }
    }

    /// Room for one more message, once there is some.
    pub(crate) async fn room(&self) -> OwnedSemaphorePermit {
        let room = Arc::clone(&self.room).acquire_owned().await;
        room.expect("nobody closes it")
    }

    /// A message's number, and how it ends.
    pub(crate) fn begin(
        &self,
        room: OwnedSemaphorePermit,
    ) -> (u16, oneshot::Receiver<Result<Taken, Failure>>) {
        let (end, ended) = oneshot::channel();
        let mut state = self.state.lock();
        loop {
            state.last = state.last % NUMBER_MAX + 1;
            if !state.under_way.contains_key(&state.last) {
                break; // there are more numbers than there is room
            }
        }
        let number = state.last;
        if !state.broken {
            let under_way = UnderWay { end, received: Taken::Kept, _room: room };
            state.under_way.insert(number, under_way);
        }
        (number, ended)
    }

    /// The broker has received a message of QoS 2, and goes on when it is told to. Says whether it is to be told.
    pub(crate) fn received(&self, number: u16, said: Result<Taken, Failure>) -> bool {
        let taken = match said {
            Ok(taken) => taken,
            Err(failure) => {
                self.ended(number, Err(failure));
                return false;
            }
        };
        if let Some(under_way) = self.state.lock().under_way.get_mut(&number) {
            under_way.received = taken;
        }
        true
    }

    /// The connection broke: whoever waits is told so.
    pub(crate) fn end_all(&self) {
        let mut state = self.state.lock();
        state.broken = true;
        state.under_way.clear();
    }

    /// A message has ended.
    pub(crate) fn ended(&self, number: u16, said: Result<Taken, Failure>) {
        let Some(under_way) = self.state.lock().under_way.remove(&number) else { return };
        let said = match (said, under_way.received) {
            (Ok(Taken::Kept), received) => Ok(received),
            (said, _) => said,
        };
        let _ = under_way.end.send(said); // whoever sent it may have given up
    }
}

#[cfg(test)]
mod tests {
    use wattle_messaging::Kind;

    use super::*;

    #[tokio::test]
    async fn each_message_gets_its_own_end_whatever_the_order() {
        let flight = Flight::new(3);
        let (first, first_end) = flight.begin(flight.room().await);
        let (second, second_end) = flight.begin(flight.room().await);
        let (third, third_end) = flight.begin(flight.room().await);
        flight.ended(third, Err(Failure::new(Kind::Denied, "no")));
        assert!(flight.received(second, Ok(Taken::Unheard)));
        flight.ended(second, Ok(Taken::Kept));
        flight.ended(4_711, Ok(Taken::Kept)); // nobody's
        assert_eq!(second_end.await, Ok(Ok(Taken::Unheard)));
        assert_eq!(third_end.await.expect("an end").expect_err("refused").kind, Kind::Denied);
        assert!(!flight.received(first, Err(Failure::new(Kind::Failed, "full"))));
        assert_eq!(first_end.await.expect("an end").expect_err("refused").kind, Kind::Failed);
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_whoever_gave_up_still_takes_some() {
        let flight = Flight::new(1);
        let (number, end) = flight.begin(flight.room().await);
        drop(end);
        assert_eq!(flight.room.available_permits(), 0, "the broker still has to acknowledge it");
        flight.ended(number, Ok(Taken::Kept));
        let (again, end) = flight.begin(flight.room().await);
        assert_ne!(again, number);
        flight.end_all();
        assert!(end.await.is_err(), "the connection broke");
        let (_, end) = flight.begin(flight.room().await);
        assert!(end.await.is_err(), "and nothing is sent over it any more");
    }
}
