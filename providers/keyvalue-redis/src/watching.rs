//! A link that tells an actor of changes, whoever makes them: Redis says which keys change (keyspace notifications), on a connection
//! of the link's own.
//!
//! Every host's provider listens, and the one that holds the link's lease tells. The others keep what they heard last, so that one of
//! them that takes over tells of what the holder before may not have told any more. Redis keeps nothing for whoever was away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use redis::{Msg, RedisError, aio::PubSub, cmd};
use tokio::time::{sleep, timeout};
use tracing::warn;
use wattle_keyvalue::{
    Failure, Store as _,
    limit::check_value_len,
    watch::{Changed, Key, Read, Told, Watch, tell},
    wire::KeyResponse,
};
use wattle_sdk::{
    Burst, Lease, Term,
    handing::{End, Ready, Work},
};

use crate::{
    RedisStore,
    address::Address,
    connection::{RECONNECT_PAUSE, is_answer, is_refusal, listening},
    notifications::{Silent, turned_on},
    pool::Pool,
    store::{full, prefix, starting_with},
};

/// For so long a provider that does not hold the lease keeps what it has heard: longer than it takes until a host that was killed has
/// lost its lease, and another has it.
const KEPT: Duration = Duration::from_secs(20);

/// A Redis that hangs is noticed although it has nothing to say, and so is one that was told to say nothing any more.
const PING_PAUSE: Duration = Duration::from_secs(1);
const PONG_WAIT: Duration = Duration::from_secs(2);

/// Between two attempts where Redis refuses: it will not have another mind in a moment.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// Between two looks whether there is room for more keys of a resync.
const ROOM_PAUSE: Duration = Duration::from_millis(50);

/// Events that change no value: a key's time to live. Of all others the key is read.
const NO_CHANGE: [&[u8]; 3] = [b"expire", b"persist", b"new"];

/// What the link's task has.
pub(crate) struct Watching {
    pub(crate) address: Address,
    pub(crate) pool: Arc<Pool>,
    pub(crate) work: Arc<Work>,
    pub(crate) watch: Watch,
    pub(crate) lease: Lease,
    /// Whether Redis may be told to tell of changes.
    pub(crate) configure: bool,
    /// Whether every watched key is told of after Redis was away.
    pub(crate) resync: bool,
    pub(crate) changed: Changed,
    pub(crate) dropped: Burst,
    pub(crate) failures: Burst,
}

impl Watching {
    /// Listens and tells until the link ends, or until all was told that changed before a drain.
    pub(crate) async fn run(self: Arc<Self>, end: End, ready: Ready) {
        let (mut draining, mut deleted) = (end.clone(), end.clone());
        let listening = async {
            tokio::select! {
                () = draining.draining() => self.changed.end(),
                () = self.listen(ready) => {}
            }
        };
        tokio::select! {
            biased;
            () = deleted.deleted() => {}
            ((), ()) = async { tokio::join!(listening, self.tell_all(end)) } => {}
        }
    }

    async fn listen(&self, mut ready: Ready) {
        let refused = Burst::default();
        let mut heard_until = None;
        loop {
            let mut pause = RECONNECT_PAUSE;
            match self.subscribe().await {
                Ok(pubsub) => {
                    ready.say(Ok(()));
                    let gap = heard_until.map(|until: Instant| until.elapsed());
                    heard_until = Some(self.listen_over(pubsub, gap).await);
                }
                Err(Silent::Off(reason)) => {
                    let link = self.work.actor.link;
                    refused.note(|count| warn!(link, count, reason, "cannot watch"));
                    ready.say(Err(reason));
                    pause = REFUSED_PAUSE;
                }
                Err(Silent::Away) => {} // the connection for commands says what is wrong
            }
            sleep(pause).await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, Silent> {
        turned_on(self.pool.connection(), &self.address, self.configure).await?;
        let silent = |error: RedisError, is_final: fn(&RedisError) -> bool| match is_final(&error) {
            true => Silent::Off(format!("redis at {}: {error}", self.address)),
            false => Silent::Away,
        };
        let listening = listening(&self.address).await;
        let mut pubsub = listening.map_err(|error| silent(error, is_refusal))?;
        for pattern in self.patterns() {
            let subscribed = pubsub.psubscribe(pattern).await;
            subscribed.map_err(|error| silent(error, is_answer))?;
        }
        Ok(pubsub)
    }

    fn patterns(&self) -> Vec<String> {
        let (channel, bucket) = (self.channel(), self.bucket());
        let wanted = self.watch.prefixes().iter();
        wanted.map(|wanted| starting_with(&format!("{channel}{bucket}{wanted}"))).collect()
    }

    /// What stands ahead of a key in the name of its channel.
    fn channel(&self) -> String {
        format!("__keyspace@{}__:", self.address.login().db())
    }

    /// What the bucket's keys start with in Redis.
    fn bucket(&self) -> String {
        prefix(&self.watch.bucket).expect("it was looked at when the link was put").into_owned()
    }

    /// Notes what changes until the connection is broken: when that was. It never waits for the actor: Redis cuts off who does not
    /// read.
    async fn listen_over(&self, mut pubsub: PubSub, gap: Option<Duration>) -> Instant {
        let before_key = format!("{}{}", self.channel(), self.bucket());
        let hearing = async {
            let mut heard = Instant::now();
            while let Some(message) = self.next(&mut pubsub, &mut heard).await {
                self.note(&before_key, &message);
            }
            heard
        };
        let resyncing = async {
            if let Some(gap) = gap.filter(|_| self.lease.is_held()) {
                self.resync(gap).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = hearing => heard,
            () = resyncing => unreachable!("it never comes back"),
        }
    }

    /// What Redis says next; nothing once the connection is broken, or Redis does not even answer a ping, or is to say nothing any
    /// more. `heard` is when Redis was heard last.
    async fn next(&self, pubsub: &mut PubSub, heard: &mut Instant) -> Option<Msg> {
        loop {
            *heard = Instant::now();
            if let Ok(message) = timeout(PING_PAUSE, pubsub.on_message().next()).await {
                return message;
            }
            timeout(PONG_WAIT, pubsub.ping::<redis::Value>()).await.ok()?.ok()?;
            turned_on(self.pool.connection(), &self.address, self.configure).await.ok()?;
        }
    }

    fn note(&self, before_key: &str, message: &Msg) {
        if NO_CHANGE.contains(&message.get_payload_bytes()) {
            return;
        }
        let Ok(channel) = message.get_channel::<String>() else { return }; // no actor could name it
        let Some(key) = channel.strip_prefix(before_key) else { return };
        if self.watch.sees(key) {
            self.note_key(key);
        }
    }

    fn note_key(&self, key: &str) {
        if self.changed.note(key) {
            return;
        }
        if !self.lease.is_held() {
            self.changed.forget_before(Instant::now() - KEPT);
            self.changed.note(key); // what does not fit all the same, whoever takes over does not tell
            return;
        }
        self.dropped.note(|count| {
            let link = self.work.actor.link;
            warn!(link, count, "changes are not told: the actor takes them too slowly");
        });
    }

    /// Redis was away. What changed meanwhile cannot be known: either that is said, or every key that is there is told of.
    async fn resync(&self, gap: Duration) {
        let link = self.work.actor.link;
        if !self.resync {
            return warn!(
                link,
                ?gap,
                "changes of this time are not told: redis could not be heard"
            );
        }
        warn!(link, ?gap, "what was deleted in this time is not told: redis could not be heard");
        let store = RedisStore::new(Arc::clone(&self.pool));
        for wanted in self.watch.prefixes() {
            let mut cursor = None;
            loop {
                let page = store.list_keys(&self.watch.bucket, wanted, cursor).await;
                let KeyResponse { keys, cursor: next } = match page {
                    Ok(page) => page,
                    Err(failure) => {
                        sleep(self.cannot_resync(failure)).await;
                        continue;
                    }
                };
                for key in keys.iter().filter(|key| self.watch.sees(key)) {
                    while !self.changed.note_later(key) {
                        sleep(ROOM_PAUSE).await;
                    }
                }
                if next.is_none() {
                    break;
                }
                cursor = next;
            }
        }
    }

    /// How long to wait before the keys are asked for again.
    fn cannot_resync(&self, failure: Failure) -> Duration {
        let Failure::Store(reason) = failure else { return ROOM_PAUSE }; // it is away, and says so itself
        let link = self.work.actor.link;
        self.failures.note(|count| {
            warn!(link, count, %reason, "what changed is not told yet: the keys cannot be listed");
        });
        REFUSED_PAUSE
    }

    /// Tells the actor what changed, while this provider holds the lease.
    async fn tell_all(self: &Arc<Self>, mut end: End) {
        let under_way = end.clone();
        loop {
            let term = tokio::select! {
                biased;
                term = self.lease.held() => term,
                () = end.draining() => return, // whoever holds it tells
            };
            self.changed.forget_before(Instant::now() - KEPT);
            if term.during(self.tell_in(&term, &under_way)).await.is_some() {
                return;
            }
        }
    }

    /// Ends when nothing comes any more.
    async fn tell_in(self: &Arc<Self>, term: &Term, end: &End) {
        loop {
            let place = self.work.place().await;
            let Some(key) = self.changed.next().await else { return };
            let (this, term, mut end) = (Arc::clone(self), term.clone(), end.clone());
            self.work.give(place, async move {
                tokio::select! {
                    () = end.deleted() => {}
                    told = term.during(this.tell(&key)) => {
                        if told.is_none() {
                            this.changed.note(key.as_str()); // for the next term, here or elsewhere
                        }
                    }
                }
            });
        }
    }

    async fn tell(&self, key: &Key) {
        let reason = match tell(&self.work.actor, &self.watch, key, self, sleep).await {
            Told::Knows | Told::ChangedAgain => return,
            Told::NoValue(reason) => reason,
            Told::GivenUp(error) => format!("{}: {error}", error.kind.as_str()),
        };
        self.failures.note(|count| {
            let link = self.work.actor.link;
            warn!(link, count, key = key.as_str(), reason, "the actor is not told of changes");
        });
    }
}

impl Read for Watching {
    /// The length first: a value that is too long to tell of must not fill this process's memory.
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (redis, key) = (self.pool.connection(), full(&self.watch.bucket, key)?);
        check_value_len(redis.send(cmd("STRLEN").arg(&*key)).await?)?;
        redis.send(cmd("GET").arg(&*key)).await
    }
}
