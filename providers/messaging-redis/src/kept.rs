//! Messages that Redis keeps in streams until an actor has handled them: at least once, whatever dies meanwhile.
//!
//! Redis remembers for each group which entries were given to whom, and since when. An entry that failed is handed to a
//! consumer that nobody is, [`RESTING`]: there it waits for its next attempt, on whichever host. An entry that belongs to a
//! consumer that has been silent for `ack_wait_ms` has lost its host.

mod message;
mod pending;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{Cmd, RedisError, Value, cmd};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};
use tracing::warn;
use wattle_messaging::Failure;
use wattle_sdk::Burst;
use wattle_sdk::handing::{End, Phase, Ready, Work};

use self::message::Given;
use crate::{
    connection::{Commands, is_refusal},
    entry::Field,
    server::{RECONNECT_PAUSE, REFUSED_PAUSE, Server},
    settings::Streams,
};

/// Whose entries those are that wait for their next attempt.
const RESTING: &str = "resting";

/// What the names of processes' consumers begin with.
const CONSUMER: &str = "wattle-";

/// How long one request for new entries stands, in milliseconds; without any it is made anew.
const BLOCK_MS: u64 = 1_000;
/// The same where streams take turns, or where entries wait for their next attempt and for the place that the request holds.
const TURN_MS: u64 = 100;
/// How long a command on the connection that waits may take: the request, and what a slow Redis needs beside it.
const READ_WAIT: Duration = Duration::from_millis(BLOCK_MS + 5_000);

/// Entries that are asked for at once. More would wait here while another host is free.
const READ_MAX: usize = 64;

/// One link's streams.
pub(crate) struct Kept {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) streams: Streams,
    /// This process's, for this link, until it ends.
    pub(crate) consumer: String,
    pub(crate) trouble: Burst,
    /// Whether so much is pending that nothing new is to be fetched.
    pub(crate) full: watch::Sender<bool>,
    /// Whether entries are under way or wait for their next attempt, on whichever host.
    pub(crate) pending: AtomicBool,
}

/// What an entry has.
#[derive(Debug, PartialEq, Eq)]
enum Fields {
    /// In their order.
    Here(Vec<Field>),
    /// It was trimmed away meanwhile.
    Trimmed,
    /// Not what a stream's entry has.
    Unreadable,
}

/// An entry of a stream, with its id.
type Entry = (String, Fields);
/// What a request for new entries is answered with. Each entry is read by itself: one that is odd keeps back no other.
type Read = Option<Vec<(String, Vec<Value>)>>;

impl Kept {
    pub(crate) fn new(server: Arc<Server>, work: Arc<Work>, streams: Streams) -> Self {
        let consumer = format!("{CONSUMER}{:016x}", rand::random::<u64>());
        let (trouble, full) = (Burst::default(), watch::Sender::new(false));
        let pending = AtomicBool::new(false);
        Self { server, work, streams, consumer, trouble, full, pending }
    }

    /// Fetches entries until the link ends.
    pub(crate) async fn run(self: Arc<Self>, mut end: End, mut ready: Ready) {
        let fetching = async {
            loop {
                let pause = match self.fetch(&mut ready).await {
                    Ok(()) => RECONNECT_PAUSE,
                    Err(error) => {
                        let reason = self.server.says(&error.to_string());
                        self.say("cannot fetch streams' messages", &reason);
                        if is_refusal(&error) { REFUSED_PAUSE } else { RECONNECT_PAUSE }
                    }
                };
                sleep(pause).await;
            }
        };
        tokio::select! {
            () = end.draining() => {}
            () = fetching => {}
            () = pending::claim(&self) => {}
        }
        if end.phase() == Phase::Draining {
            return self.give_back().await;
        }
        tokio::spawn(async move { self.give_back().await }); // the link is gone, and nobody waits for what is under way
    }

    /// Once nothing is under way, what was fetched and not begun is for other hosts, at once.
    async fn give_back(&self) {
        self.work.idle().await;
        for key in &self.streams.keys {
            if let Err(failure) = pending::give_back(self, key).await {
                self.say("other hosts get some messages later", &failure.to_string());
            }
        }
    }

    fn say(&self, what: &'static str, reason: &str) {
        self.trouble.note(|count| {
            warn!(link = self.work.actor.link, group = self.streams.group, count, reason, "{what}");
        });
    }

    /// Gives new entries to the actor over one connection, until it breaks.
    async fn fetch(self: &Arc<Self>, ready: &mut Ready) -> Result<(), RedisError> {
        let opened = Commands::open(&self.server.address, READ_WAIT).await;
        let Commands { mut connection, driver: _driver } = opened?;
        let made = self.make_groups(&mut connection).await;
        if let Err(error) = made {
            if is_refusal(&error) {
                ready.say(Err(self.server.says(&error.to_string())));
            }
            return Err(error);
        }
        ready.say(Ok(()));
        let mut full = self.full.subscribe();
        for round in 0.. {
            let _ = full.wait_for(|full| !full).await; // its sender is this link's
            let first = self.work.place().await;
            let mut places = self.work.free_places(READ_MAX.max(self.streams.keys.len()) - 1);
            places.push(first);
            let request = self.request(places.len(), round);
            let read: Read = request.query_async(&mut connection).await?;
            for (key, entries) in read.into_iter().flatten() {
                for value in entries {
                    let Some(place) = places.pop() else { break };
                    match entry(value) {
                        Some(entry) => self.give(&key, entry, 1, place),
                        None => self.say("an entry has no id", &key),
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks for new entries, never for more than there are places: Redis counts for each stream. Where there is no place for
    /// each, the streams take turns.
    fn request(&self, places: usize, round: usize) -> Cmd {
        let all = &self.streams.keys;
        let takes_turns = places < all.len();
        let keys = if takes_turns { &all[round % all.len()..][..1] } else { &all[..] };
        let is_short = takes_turns || self.pending.load(Relaxed);
        let block = if is_short { TURN_MS } else { BLOCK_MS };
        let mut request = cmd("XREADGROUP");
        request.arg("GROUP").arg(&self.streams.group).arg(&self.consumer);
        request.arg("COUNT").arg(places / keys.len()).arg("BLOCK").arg(block);
        request.arg("STREAMS").arg(keys);
        request.arg(vec![">"; keys.len()]);
        request
    }

    /// The groups, from each stream's beginning, and the streams, where there are none.
    async fn make_groups(
        &self,
        connection: &mut redis::aio::MultiplexedConnection,
    ) -> Result<(), RedisError> {
        for key in &self.streams.keys {
            let mut make = cmd("XGROUP");
            make.arg("CREATE").arg(key).arg(&self.streams.group).arg("0").arg("MKSTREAM");
            let made: Result<(), RedisError> = make.query_async(connection).await;
            match made {
                Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
                _ => {} // another host, or an earlier life, has made it
            }
            pending::forget_the_dead(connection, key, &self.streams.group).await;
        }
        Ok(())
    }

    /// Gives an entry to the actor.
    fn give(self: &Arc<Self>, key: &str, entry: Entry, attempt: u64, place: OwnedSemaphorePermit) {
        let (id, fields) = entry;
        let given = Given { kept: Arc::clone(self), key: key.to_owned(), id, fields, attempt };
        self.work.give(place, given.handle());
    }

    fn acknowledgement(&self, key: &str, id: &str) -> Cmd {
        let mut ack = cmd("XACK");
        ack.arg(key).arg(&self.streams.group).arg(id);
        ack
    }

    /// Makes somebody the owner of an entry, without another attempt. Its time begins anew.
    async fn own(&self, key: &str, id: &str, consumer: &str) -> Result<(), Failure> {
        let mut claim = cmd("XCLAIM");
        claim.arg(key).arg(&self.streams.group).arg(consumer).arg(0).arg(id).arg("JUSTID");
        let _ids: Vec<String> = self.server.send(&claim).await?;
        Ok(())
    }
}

/// An entry as Redis tells it: its id, and names and values in turn. Nothing where there is no id.
fn entry(value: Value) -> Option<Entry> {
    let (id, fields): (String, Value) = redis::from_redis_value(value).ok()?;
    let fields = match fields {
        Value::Nil => Fields::Trimmed,
        Value::Array(all) => pairs(all).map_or(Fields::Unreadable, Fields::Here),
        _ => Fields::Unreadable,
    };
    Some((id, fields))
}

fn pairs(all: Vec<Value>) -> Option<Vec<Field>> {
    let mut bytes = all.into_iter().map(|value| match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    });
    let mut pairs = Vec::with_capacity(bytes.len() / 2);
    while let Some(name) = bytes.next() {
        pairs.push((name?, bytes.next()??));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_any_bytes_and_an_odd_entry_is_told_apart() {
        let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let of = |fields| entry(Value::Array(vec![bytes(b"1-0"), fields])).expect("it has an id").1;
        let field = (b"\xff".to_vec(), b"v".to_vec());
        let both = Value::Array(vec![bytes(b"\xff"), bytes(b"v")]);
        assert_eq!(of(both), Fields::Here(vec![field]));
        assert_eq!(of(Value::Nil), Fields::Trimmed);
        assert_eq!(of(Value::Array(vec![bytes(b"alone")])), Fields::Unreadable);
        assert_eq!(of(Value::Int(7)), Fields::Unreadable);
        assert_eq!(entry(Value::Nil), None);
    }
}
