//! Entries that wait for another attempt, and those whose host is gone: looked for, and claimed.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use redis::{RedisError, Value, aio::MultiplexedConnection, cmd};
use tokio::time::sleep;
use tracing::debug;
use wattle_messaging::Failure;

use super::{CONSUMER, Kept, RESTING, entry};

/// Between two looks at what is pending, at most; shorter where the first pause of the backoff is.
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Entries that one look at a stream sees at a time.
const PAGE_LEN: usize = 100;

/// Entries of one stream that are under way or wait for their next attempt, on all hosts together, about. Above that no new ones
/// are fetched, so that an actor that fails does not fill Redis with them.
const PENDING_MAX: u64 = 10_000;

/// A consumer that asked for nothing so long has ended: one that lives asks every second.
const DEAD_AFTER: Duration = Duration::from_secs(3_600);

/// Removes a group's consumers that this provider has made, that have nothing and have asked for nothing for so long: looked at
/// and removed in one step, as one that is removed takes its entries with it.
const FORGET: &str = r"
local forgotten = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local of = {}
  for i = 1, #consumer, 2 do of[consumer[i]] = consumer[i + 1] end
  local ours = string.sub(of['name'], 1, #ARGV[2]) == ARGV[2]
  if ours and of['pending'] == 0 and of['idle'] > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of['name'])
    forgotten = forgotten + 1
  end
end
return forgotten
";

/// An entry that was given to somebody and not acknowledged: its id, its owner, milliseconds since, attempts.
type Pending = (String, String, u64, u64);

/// Claims what is due, for ever.
pub(super) async fn claim(kept: &Arc<Kept>) {
    let shortest = kept.streams.attempts.backoff.iter().min().copied().unwrap_or_default() / 2;
    let pause = shortest.clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
    loop {
        sleep(pause).await;
        let mut most = 0;
        for key in &kept.streams.keys {
            // While Redis is away there is nothing to be found, and whoever fetches says so.
            if !kept.server.is_up() {
                break;
            }
            match look(kept, key).await {
                Ok(count) => most = count.max(most),
                Err(failure) => {
                    kept.say("cannot look for messages that failed", &failure.to_string());
                }
            }
        }
        kept.pending.store(most > 0, Relaxed);
        let full = most > PENDING_MAX;
        if !kept.full.send_replace(full) && full {
            kept.say("no new messages are fetched", "too many wait for their next attempt");
        }
    }
}

/// Claims what is due of one stream, and says how many entries of it were pending before.
async fn look(kept: &Arc<Kept>, key: &str) -> Result<u64, Failure> {
    let count = count(kept, key).await?;
    claim_of(kept, key).await?;
    Ok(count)
}

/// Entries that were given to somebody and not acknowledged.
async fn count(kept: &Kept, key: &str) -> Result<u64, Failure> {
    let mut look = cmd("XPENDING");
    look.arg(key).arg(&kept.streams.group);
    let (count, _, _, _): (u64, Value, Value, Value) = kept.server.send(&look).await?;
    Ok(count)
}

async fn claim_of(kept: &Arc<Kept>, key: &str) -> Result<(), Failure> {
    let streams = &kept.streams;
    let shortest = streams.attempts.backoff.iter().min().copied().unwrap_or_default();
    let shortest = shortest.min(streams.ack_wait);
    let mut from = "-".to_owned();
    loop {
        let mut look = cmd("XPENDING");
        look.arg(key).arg(&streams.group).arg("IDLE").arg(millis(shortest));
        look.arg(&from).arg("+").arg(PAGE_LEN);
        let page: Vec<Pending> = kept.server.send(&look).await?;
        for (id, owner, idle, attempts) in &page {
            let due = due_after(kept, owner, *attempts);
            if Duration::from_millis(*idle) >= due {
                claim_one(kept, key, id, due, *attempts).await?;
            }
        }
        match page.last() {
            Some((id, ..)) if page.len() == PAGE_LEN => from = format!("({id}"),
            _ => return Ok(()),
        }
    }
}

/// How long an entry stays with its owner.
fn due_after(kept: &Kept, owner: &str, attempts: u64) -> Duration {
    if owner != RESTING {
        return kept.streams.ack_wait;
    }
    kept.streams.attempts.pause(attempts)
}

/// Claims one entry, unless another host is quicker: Redis gives it only to whoever finds it as old as that.
async fn claim_one(
    kept: &Arc<Kept>,
    key: &str,
    id: &str,
    due: Duration,
    attempts: u64,
) -> Result<(), Failure> {
    let place = kept.work.place().await;
    let mut claim = cmd("XCLAIM");
    claim.arg(key).arg(&kept.streams.group).arg(&kept.consumer).arg(millis(due)).arg(id);
    let claimed: Vec<Value> = kept.server.send(&claim).await?;
    match claimed.into_iter().next() {
        None => {} // another host was quicker
        // It was trimmed away, which a Redis before 7 does not forget by itself.
        Some(Value::Nil) => {
            let _: u64 = kept.server.send(&kept.acknowledgement(key, id)).await?;
        }
        Some(value) => match entry(value) {
            Some(entry) => kept.give(key, entry, attempts + 1, place),
            None => kept.say("an entry has no id", key),
        },
    }
    Ok(())
}

/// Has what this process has fetched and not begun wait for its next attempt, as long ago as makes it due.
pub(super) async fn give_back(kept: &Kept, key: &str) -> Result<(), Failure> {
    loop {
        let mut look = cmd("XPENDING");
        look.arg(key).arg(&kept.streams.group).arg("-").arg("+").arg(PAGE_LEN).arg(&kept.consumer);
        let page: Vec<Pending> = kept.server.send(&look).await?;
        if page.is_empty() {
            return Ok(());
        }
        let longest = kept.streams.attempts.backoff.iter().max().copied().unwrap_or_default();
        let mut claim = cmd("XCLAIM");
        claim.arg(key).arg(&kept.streams.group).arg(RESTING).arg(0);
        claim.arg(page.iter().map(|(id, ..)| id).collect::<Vec<_>>());
        claim.arg("IDLE").arg(millis(longest)).arg("JUSTID");
        let _ids: Vec<String> = kept.server.send(&claim).await?;
    }
}

/// Removes consumers of processes that ended long ago, and left nothing: every start adds one to the group. Where that is not
/// allowed, they stay.
pub(super) async fn forget_the_dead(
    connection: &mut MultiplexedConnection,
    key: &str,
    group: &str,
) {
    let mut forget = cmd("EVAL");
    forget.arg(FORGET).arg(1).arg(key).arg(group).arg(CONSUMER).arg(millis(DEAD_AFTER));
    let forgotten: Result<u64, RedisError> = forget.query_async(connection).await;
    if let Err(error) = forgotten {
        debug!(key, group, %error, "consumers of the dead stay");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
