//! One entry of a stream, from when it is given to the actor until Redis knows what came of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use redis::{Cmd, cmd};
use tokio::time::{Instant, sleep};
use tracing::warn;
use wattle_messaging::{Failure, Kind, Verdict, deliver};

use super::{Fields, Kept, RESTING};
use crate::entry::{Field, of_fields};

/// Words of progress within the time that another host waits for one: two may get lost.
const PROGRESS_WORDS: u32 = 3;

/// Between two attempts to tell a Redis that is away.
const TELL_PAUSE: Duration = Duration::from_millis(50);

/// The most characters of a reason: what an actor says goes into a field.
const REASON_LEN_MAX: usize = 1_024;

/// Fields of a dead entry that go to the stream for dead ones; Lua passes no more than some thousands on.
const DEAD_FIELDS_MAX: usize = 3_000;

/// Moves an entry to the stream for dead ones: all of it or nothing, and nothing where somebody else has done so already. An
/// error of `XADD` ends the script before the entry is acknowledged. A transaction would go on, and lose it.
const GIVE_UP: &str = r"
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
local add = {'XADD', KEYS[2]}
if ARGV[3] ~= '0' then
  add[3], add[4], add[5] = 'MAXLEN', '~', ARGV[3]
end
add[#add + 1] = '*'
for i = 4, #ARGV do add[#add + 1] = ARGV[i] end
redis.call(unpack(add))
return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
";

/// An entry under way.
pub(super) struct Given {
    pub(super) kept: Arc<Kept>,
    pub(super) key: String,
    pub(super) id: String,
    pub(super) fields: Fields,
    pub(super) attempt: u64,
}

impl Given {
    /// Gives the message to the actor and tells Redis what came of it.
    pub(super) async fn handle(self) {
        let fields = match &self.fields {
            Fields::Here(fields) => fields,
            Fields::Trimmed => return self.acknowledge().await, // nothing is left to handle
            Fields::Unreadable => return self.give_up("its fields cannot be read", &[]).await,
        };
        let message = of_fields(&self.key, fields);
        let delivery = tokio::select! {
            delivery = deliver(&self.kept.work.actor, message) => delivery,
            never = self.say_it_goes_on() => match never {},
        };
        let reason = delivery.reason().unwrap_or_default();
        match self.kept.streams.attempts.verdict(&delivery, self.attempt) {
            Verdict::Handled => self.acknowledge().await,
            Verdict::Dead => self.give_up(&reason, fields).await,
            Verdict::Again(_) => {
                self.kept.say("a message was not handled, it will be given again", &reason);
                self.rest().await;
            }
        }
    }

    /// Keeps other hosts from taking the entry while the actor works.
    async fn say_it_goes_on(&self) -> Infallible {
        loop {
            sleep(self.kept.streams.ack_wait / PROGRESS_WORDS).await;
            let _ = self.kept.own(&self.key, &self.id, &self.kept.consumer).await; // the next word may come through
        }
    }

    async fn acknowledge(&self) {
        let ack = self.kept.acknowledgement(&self.key, &self.id);
        if let Err(failure) = self.tell(&ack).await {
            self.kept.say("what came of a message is not told", &failure.to_string());
        }
    }

    /// Tells Redis, again while it is away. After the time that other hosts wait for a word, one takes the entry anyway.
    async fn tell(&self, word: &Cmd) -> Result<(), Failure> {
        let last = Instant::now() + self.kept.streams.ack_wait;
        loop {
            let told = self.kept.server.send::<u64>(word).await;
            let passing = |failure: &Failure| {
                matches!(failure.kind, Kind::Unavailable | Kind::Interrupted)
                    && Instant::now() < last
            };
            match told {
                Err(failure) if passing(&failure) => sleep(TELL_PAUSE).await,
                told => return told.map(drop),
            }
        }
    }

    /// Puts the entry where it waits for its next attempt.
    async fn rest(&self) {
        let last = Instant::now() + self.kept.streams.ack_wait;
        while let Err(Failure { kind, .. }) = self.kept.own(&self.key, &self.id, RESTING).await {
            if !matches!(kind, Kind::Unavailable | Kind::Interrupted) || Instant::now() >= last {
                return; // it stays this consumer's, and is claimed when that has been silent long enough
            }
            sleep(TELL_PAUSE).await;
        }
    }

    /// Moves the entry to the stream for dead ones, where there is one. Where that fails it is given again.
    async fn give_up(&self, reason: &str, fields: &[Field]) {
        let streams = &self.kept.streams;
        let Some(dead) = &streams.dead_letter else {
            let (link, stream, id) = (self.kept.work.actor.link, &self.key, &self.id);
            warn!(
                link,
                stream, id, reason, "a message is given up, its link has no dead_letter_stream"
            );
            return self.acknowledge().await;
        };
        let said: String = reason.chars().take(REASON_LEN_MAX).collect();
        let mut give_up = cmd("EVAL");
        give_up.arg(GIVE_UP).arg(2).arg(&self.key).arg(dead);
        give_up.arg(&streams.group).arg(&self.id).arg(streams.max_len);
        for (name, value) in fields.iter().take(DEAD_FIELDS_MAX) {
            give_up.arg(&name[..]).arg(&value[..]);
        }
        give_up.arg("wattle-dead-reason").arg(said);
        give_up.arg("wattle-dead-stream").arg(&self.key);
        give_up.arg("wattle-dead-id").arg(&self.id);
        give_up.arg("wattle-dead-deliveries").arg(self.attempt);
        match self.tell(&give_up).await {
            Ok(()) => self.kept.say("a message is dead, see its link's dead_letter_stream", reason),
            Err(failure) => {
                self.kept.say("a dead message could not be put aside", &failure.to_string());
                self.rest().await;
            }
        }
    }
}
