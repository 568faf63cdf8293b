//! Those who count while it happens, and what they were told.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use wattle_testing::{Connection, Response, Site};

/// The deadline of each call, and how much later its answer may be seen.
const DEADLINE: Duration = Duration::from_secs(3);
const MARGIN: Duration = Duration::from_secs(1);
/// Clients that count something new with each call, and clients that all count the same.
const OWN: usize = 6;
const SHARED: usize = 2;
const SHARED_PATH: &str = "/shared";
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_FAILED: Duration = Duration::from_millis(50);
/// Of those that succeeded, and of those that were told that they did not run, so many are asked again; of the others all.
const ASKED_AGAIN: usize = 2_000;
const AT_ONCE: usize = 8;
/// Stands for a response that was cut before its end.
const CUT: u16 = 0;

pub(super) struct Clients {
    done: watch::Sender<bool>,
    tasks: JoinSet<Vec<Call>>,
}

/// One call, and what came of it.
struct Call {
    /// None for those that all count the same.
    own: Option<u64>,
    status: u16,
    /// What it counted to, if it did.
    count: Option<u64>,
    took: Duration,
}

/// All calls.
pub(super) struct Calls(Vec<Call>);

impl Clients {
    pub(super) fn start(site: &Site) -> Self {
        let (done, is_done) = watch::channel(false);
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..OWN + SHARED {
            let (site, next, done) = (site.clone(), Arc::clone(&next), is_done.clone());
            tasks.spawn(async move {
                let (mut calls, mut client) = (Vec::new(), Client::new(&site));
                while !*done.borrow() {
                    let own = (number < OWN).then(|| next.fetch_add(1, Relaxed));
                    let call = client.call(own).await;
                    sleep(if call.count.is_some() { PAUSE } else { PAUSE_FAILED }).await;
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

/// One connection: a port for each call would use up all that there are.
struct Client {
    site: Site,
    connection: Option<Connection>,
}

impl Client {
    fn new(site: &Site) -> Self {
        Self { site: site.clone(), connection: None }
    }

    async fn call(&mut self, own: Option<u64>) -> Call {
        let path = own.map_or_else(|| SHARED_PATH.to_owned(), |own| format!("/call-{own}"));
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.site.connect().await,
        };
        let began = Instant::now();
        let response = answer(&mut connection, &path).await;
        let took = began.elapsed();
        let response = response.unwrap_or_else(|error| panic!("{path} after {took:?}: {error:#}"));
        let Some(response) = response else { return Call { own, status: CUT, count: None, took } };
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        let count = (response.status == 200).then(|| count(&response.text()));
        Call { own, status: response.status, count, took }
    }
}

/// A response, which must come; none if it was cut before its end, for which HTTP has no status any more.
async fn answer(connection: &mut Connection, path: &str) -> anyhow::Result<Option<Response>> {
    connection.send_head("GET", path, &[], 0).await?;
    let mut response = connection.head().await?;
    loop {
        match connection.chunk().await {
            Ok(Some(chunk)) => response.body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Some(response)),
            Err(_) => return Ok(None),
        }
    }
}

fn count(text: &str) -> u64 {
    let number = text.trim().trim_start_matches(r#"{"counter":"#).trim_end_matches('}');
    number.parse().unwrap_or_else(|_| panic!("not a count: {text:?}"))
}

impl Calls {
    /// What every call promises, whatever happened meanwhile.
    pub(super) async fn assert_kept(&self, site: &Site) {
        for Call { status, took, .. } in &self.0 {
            assert!(matches!(*status, 200 | 500 | 502 | 503 | 504 | CUT), "{status}");
            assert!(*took < DEADLINE + MARGIN, "{status} after {took:?}");
        }
        self.assert_shared(Client::new(site).call(None).await.count.expect("all is well"));
        self.assert_own(site).await;
    }

    /// Each acknowledged count was given once; none is lost, and no more were counted than were asked for.
    fn assert_shared(&self, last: u64) {
        let shared = || self.0.iter().filter(|call| call.own.is_none());
        let acknowledged: Vec<u64> = shared().filter_map(|call| call.count).collect();
        let distinct: HashSet<u64> = acknowledged.iter().copied().collect();
        assert_eq!(distinct.len(), acknowledged.len(), "a count was given twice");
        let (good, asked) = (acknowledged.len() as u64, shared().count() as u64);
        assert!((good..=asked).contains(&(last - 1)), "{good} of {asked}, counted {last}");
    }

    /// One that failed may have run, and none has run twice; those that succeeded ran.
    async fn assert_own(&self, site: &Site) {
        let own = || self.0.iter().filter(|call| call.own.is_some());
        let of = |status: u16| own().filter(move |call| call.status == status);
        assert!(of(200).all(|call| call.count == Some(1)), "something was counted twice");
        let some =
            |status: u16| of(status).step_by(of(status).count().div_ceil(ASKED_AGAIN).max(1));
        let unclear = own().filter(|call| !matches!(call.status, 200 | 503));
        let asked_again = unclear.chain(some(200)).chain(some(503));
        let answers =
            asked_again.map(async |asked| (asked, Client::new(site).call(asked.own).await));
        let answers: Vec<(&Call, Call)> =
            stream::iter(answers).buffer_unordered(AT_ONCE).collect().await;
        for (asked, again) in answers {
            let ran = again.count.expect("all is well") - 1;
            assert!(ran <= 1, "call {:?} ({}) ran {ran} times", asked.own, asked.status);
            assert!(ran == 1 || asked.count.is_none(), "call {:?} is lost", asked.own);
            // `503` says that the call did not run.
            assert!(ran == 0 || asked.status != 503, "call {:?} ran all the same", asked.own);
        }
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for call in &self.0 {
            *statuses.entry(call.status).or_default() += 1;
        }
        write!(f, "{} calls by status: {statuses:?}", self.0.len())
    }
}
