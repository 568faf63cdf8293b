//! Those who call while the network suffers, and what they were told.

use std::{
    fmt,
    ops::RangeBounds,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use wattle_testing::Site;

use super::{DEADLINE, HEALED, MARGIN};

/// Clients of each site, and how long each rests behind a call that succeeded or failed.
const CLIENTS: usize = 4;
const REST: Duration = Duration::from_millis(10);
const REST_FAILED: Duration = Duration::from_millis(50);
/// Of the calls that succeeded so many are asked again whether they were kept.
const GOOD_ASKED_AGAIN: usize = 500;
const ASKED_AT_ONCE: usize = 16;
/// Calls on which something can be said.
const CALLS_MIN: usize = 100;

pub(super) struct Clients {
    done: watch::Sender<bool>,
    tasks: JoinSet<Vec<Call>>,
}

/// One call: of whom, when, how long, and what came of it.
struct Call {
    site: Site,
    path: String,
    at: Instant,
    took: Duration,
    status: Option<u16>,
    text: String,
}

/// All calls.
pub(super) struct Calls(Vec<Call>);

/// How many calls there were, and how many succeeded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) good: usize,
    pub(super) all: usize,
}

impl Clients {
    /// Calls each of the sites, each time with a path of its own.
    pub(super) fn start(sites: [&Site; 3]) -> Self {
        let (done, is_done) = watch::channel(false);
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for site in sites.into_iter().cycle().take(sites.len() * CLIENTS) {
            let (site, next, done) = (site.clone(), Arc::clone(&next), is_done.clone());
            tasks.spawn(async move {
                let mut calls = Vec::new();
                while !*done.borrow() {
                    let path =
                        format!("/{:x}-{}", rand::random::<u32>(), next.fetch_add(1, Relaxed));
                    let call = call(&site, path).await;
                    sleep(if call.is_good() { REST } else { REST_FAILED }).await;
                    calls.push(call);
                }
                calls
            });
        }
        Self { done, tasks }
    }

    pub(super) async fn stop(self) -> Calls {
        self.done.send_replace(true);
        Calls(self.tasks.join_all().await.into_iter().flatten().collect())
    }
}

async fn call(site: &Site, path: String) -> Call {
    let at = Instant::now();
    let response = site.try_get(&path).await;
    let (status, text) = match &response {
        Ok(response) => (Some(response.status), response.text()),
        Err(error) => (None, error.to_string()),
    };
    Call { site: site.clone(), path, at, took: at.elapsed(), status, text }
}

impl Call {
    fn is_good(&self) -> bool {
        self.status == Some(200)
    }
}

impl Calls {
    /// What every call promises: an answer or a typed failure within its deadline, and that it did not run twice. Those of
    /// `counters` counted; one that failed may have run, one that succeeded has.
    pub(super) async fn assert_kept(&self, counters: &[&Site]) {
        for Call { path, took, status, text, .. } in &self.0 {
            assert!(*took < DEADLINE + MARGIN, "{path} took {took:?}");
            assert!(matches!(status, Some(200 | 500 | 502..=504)), "{path}: {status:?}: {text}");
        }
        let counted: Vec<&Call> =
            self.0.iter().filter(|call| counters.contains(&&call.site)).collect();
        let (good, failed): (Vec<&Call>, Vec<&Call>) =
            counted.into_iter().partition(|call| call.is_good());
        for call in &good {
            assert_eq!(call.text.trim(), r#"{"counter":1}"#, "{}", call.path);
        }
        let each = good.len().div_ceil(GOOD_ASKED_AGAIN).max(1);
        let asked = failed.into_iter().chain(good.into_iter().step_by(each));
        let answers = asked.map(async |asked| (asked, call(counters[0], asked.path.clone()).await));
        let mut answers = stream::iter(answers).buffer_unordered(ASKED_AT_ONCE);
        while let Some((Call { path, status, .. }, again)) = answers.next().await {
            let count =
                again.text.trim().trim_start_matches(r#"{"counter":"#).trim_end_matches('}');
            let ran = count.parse::<u64>().unwrap_or_else(|_| panic!("{:?}", again.text)) - 1;
            assert!(ran <= 1, "{path} ({status:?}) ran {ran} times");
            assert!(ran == 1 || *status != Some(200), "{path} is lost");
        }
    }

    /// Soon after `healed` nothing fails any more, wherever one asks.
    pub(super) fn assert_healed(&self, sites: &[&Site], healed: Instant) {
        for site in sites {
            let later = self.between(site, healed + HEALED..);
            assert!(later.good == later.all && later.all > CALLS_MIN, "after it healed: {later}");
        }
    }

    /// Those of a site that began in this time.
    pub(super) fn between(&self, site: &Site, time: impl RangeBounds<Instant>) -> Tally {
        let calls = self.0.iter().filter(|call| call.site == *site && time.contains(&call.at));
        let (good, failed): (Vec<_>, Vec<_>) = calls.partition(|call| call.is_good());
        Tally { good: good.len(), all: good.len() + failed.len() }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} calls succeeded", self.good, self.all)
    }
}
