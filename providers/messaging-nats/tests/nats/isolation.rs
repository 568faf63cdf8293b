//! A link whose broker hangs does not slow another link of the same provider. The other brokers' providers test themselves with this
//! file, too.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};
use wattle_core::{Constraints, link::Settings, provider::Side};
use wattle_messaging::Caller;

use crate::host::{DEADLINE, Host, Link};

/// Actors that send over the link whose broker hangs, at the same time.
const NEIGHBOURS: usize = 16;
/// Between two calls of one of them, so that they are no load of their own where they fail at once.
const NEIGHBOUR_PAUSE: Duration = Duration::from_millis(5);
const NEIGHBOUR_DEADLINE: Duration = Duration::from_millis(300);
/// Windows of either kind, in turns, and calls in each. The best of each kind counts, as what else the machine does only adds; so
/// where it does much, there are more of them.
const WINDOWS: std::ops::RangeInclusive<usize> = 6..=60;
const CALLS: usize = 400;
/// Two times less than this cannot be told apart on a machine with two cores.
const FLOOR: Duration = Duration::from_micros(500);

/// A broker that can be stopped, and goes on.
pub(crate) trait Stoppable {
    async fn freeze(&self);
    fn thaw(&self);
}

/// Compares calls over a link to `well` while the broker `ill` of another link works, and while it hangs.
pub(crate) async fn of_a_link(host: &Host, well: Settings, ill: Settings, broker: &impl Stoppable) {
    let sender = host.sender(Constraints::new(), well).await.expect("a link");
    let link = host.next();
    host.put(link, Side::Target, Constraints::new(), ill).await.expect("a link");
    let stop = Arc::new(AtomicBool::new(false));
    let mut neighbours = JoinSet::new();
    for _ in 0..NEIGHBOURS {
        neighbours.spawn(call(host.caller(link, NEIGHBOUR_DEADLINE), Arc::clone(&stop)));
    }
    let neighbour = host.caller(link, DEADLINE);
    let (mut working, mut hanging) = (Vec::new(), Vec::new());
    for windows in 1..=*WINDOWS.end() {
        working.push(window(&sender).await);
        broker.freeze().await;
        hanging.push(window(&sender).await);
        broker.thaw();
        while neighbour.publish("isolation", b"", None).await.is_err() {
            sleep(NEIGHBOUR_PAUSE).await; // it comes back by itself
        }
        if WINDOWS.contains(&windows) && is_as_fast(best(&hanging), best(&working)) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    neighbours.join_all().await;
    let (working, hanging) = (best(&working), best(&hanging));
    println!(
        "p99 of {CALLS} calls: {working:?} beside a broker that works, {hanging:?} beside one that hangs"
    );
    assert!(is_as_fast(hanging, working), "{hanging:?} beside {working:?}");
}

fn best(times: &[Duration]) -> Duration {
    times.iter().min().copied().unwrap_or_default()
}

fn is_as_fast(hanging: Duration, working: Duration) -> bool {
    hanging <= working.max(FLOOR) * 2
}

async fn call(sender: Caller<Link>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let _ = sender.publish("isolation", b"neighbour", None).await; // whether it works is not the question
        sleep(NEIGHBOUR_PAUSE).await;
    }
}

/// The time within which all but one of a hundred calls are answered.
async fn window(sender: &Caller<Link>) -> Duration {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        sender.publish("isolation", b"", None).await.expect("its broker works");
        times.push(started.elapsed());
    }
    times.sort();
    times[CALLS * 99 / 100]
}
