//! Three hosts and a counter, while hosts are killed and frozen, lines to NATS cut, and NATS itself restarted, at random: what was
//! acknowledged is counted, what failed ran at most once, all is well again a few seconds later, and nothing is left behind.
//!
//! `WATTLE_CHAOS_MINUTES` and `WATTLE_CHAOS_SEED` say how long, and which turn of events.

mod clients;
mod scene;

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::time::sleep;
use wattle_testing::Line;

use clients::Clients;
use scene::Scene;

const MINUTES: u64 = 2;
/// After a fault has ended, calls pass again so soon.
const HEALED: Duration = Duration::from_secs(5);
/// How long a fault may last, in milliseconds.
const FAULT_MS: std::ops::Range<u64> = 200..6_000;
/// How long all may be well between two.
const CALM_MS: std::ops::Range<u64> = 200..2_000;

/// What goes wrong. The hosts that run the counter are the second and the third; the first is where calls come in, and is never
/// killed, so that what it keeps of all this can be looked at in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill(usize),
    Freeze(usize),
    Line(usize, Line),
    NatsKilled,
}

impl Fault {
    fn random(random: &mut StdRng) -> Self {
        let neighbour = random.random_range(0..2);
        let line = random.random_range(0..3);
        let delay = Duration::from_millis(random.random_range(5..100));
        let faults = [
            Self::Kill(neighbour),
            Self::Freeze(neighbour),
            Self::Line(line, Line::Dead),
            Self::Line(line, Line::Cut),
            Self::Line(line, Line::Slow(delay)),
            Self::NatsKilled,
        ];
        *faults.choose(random).expect("there are some")
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_done_twice() {
    let time = Duration::from_secs(60 * number("WATTLE_CHAOS_MINUTES").unwrap_or(MINUTES));
    let seed = number("WATTLE_CHAOS_SEED").unwrap_or_else(rand::random);
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut scene = Scene::new().await;
    let clients = Clients::start(&scene.counter);
    sleep(HEALED).await;
    let before = scene.kept().await;

    let begin = Instant::now();
    let mut rounds = 0;
    while begin.elapsed() < time {
        let faults: Vec<Fault> =
            (0..random.random_range(1..=2)).map(|_| Fault::random(&mut random)).collect();
        println!("{:6.1} s: {faults:?}", begin.elapsed().as_secs_f64());
        for fault in &faults {
            scene.suffer(*fault);
        }
        sleep(Duration::from_millis(random.random_range(FAULT_MS))).await;
        scene.heal().await;
        let healing = Instant::now();
        scene.answers_within(HEALED).await;
        println!("        well again after {:?}", healing.elapsed());
        sleep(Duration::from_millis(random.random_range(CALM_MS))).await;
        rounds += 1;
    }

    sleep(HEALED).await;
    let calls = clients.stop().await;
    println!("{rounds} rounds: {calls}");
    calls.assert_kept(&scene.counter).await;
    scene.assert_nothing_left(&before).await;
}
