//! Load: many requests, each remembered.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use crate::{Connection, Site};

/// A request that takes longer has failed.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// After a connection was refused, the next is tried after this.
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);

/// What to send, and how many at once.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where.
    pub site: Site,
    /// What.
    pub path: String,
    /// How many connections, each with one request at a time.
    pub connections: usize,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// When it was due.
    pub at: Instant,
    /// When its whole response was there, or it had failed.
    pub done: Instant,
    /// The response's status; none if there was no response.
    pub status: Option<u16>,
}

/// All requests of one load.
#[derive(Clone, Debug, Default)]
pub struct Shots(pub Vec<Shot>);

impl Load {
    /// `connections` clients that ask for `path` at `site`.
    pub fn new(site: &Site, path: &str, connections: usize) -> Self {
        Self { site: site.clone(), path: path.to_owned(), connections }
    }

    /// Each connection sends its next request when it has its response.
    pub async fn closed(&self, time: Duration) -> Shots {
        self.run(time, None).await
    }

    /// So many requests per second, whatever becomes of them; each is timed from when it was due.
    pub async fn open(&self, per_second: f64, time: Duration) -> Shots {
        self.run(time, Some(Duration::from_secs_f64(self.connections as f64 / per_second))).await
    }

    async fn run(&self, time: Duration, interval: Option<Duration>) -> Shots {
        let begin = Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..self.connections {
            let load = self.clone();
            let part =
                interval.map(|interval| interval.mul_f64(number as f64 / self.connections as f64));
            clients.spawn(async move {
                load.client(begin + part.unwrap_or_default(), begin + time, interval).await
            });
        }
        let mut shots = Shots(clients.join_all().await.into_iter().flatten().collect());
        shots.0.sort_by_key(|shot| shot.done);
        shots
    }

    async fn client(self, begin: Instant, end: Instant, interval: Option<Duration>) -> Vec<Shot> {
        let mut shots = Vec::new();
        let mut connection = None;
        let mut at = begin;
        while at < end {
            sleep_until(at.into()).await;
            let status = self.shoot(&mut connection).await;
            let done = Instant::now();
            shots.push(Shot { at, done, status });
            if status.is_none() {
                sleep(RECONNECT_PAUSE).await;
            }
            at = match interval {
                Some(interval) => at + interval,
                None => Instant::now(),
            };
        }
        shots
    }

    async fn shoot(&self, connection: &mut Option<Connection>) -> Option<u16> {
        let shot = async {
            if connection.is_none() {
                *connection = Some(Connection::open(&self.site.address).await?);
            }
            let open = connection.as_mut().expect("it was just opened");
            let response = open.request("GET", &self.path, &[], b"").await?;
            anyhow::Ok((response.status, response.header("connection") == Some("close")))
        };
        match timeout(ANSWER_MAX, shot).await {
            Ok(Ok((status, close))) => {
                if close {
                    *connection = None;
                }
                Some(status)
            }
            Ok(Err(_)) | Err(_) => {
                *connection = None;
                None
            }
        }
    }
}

impl Shots {
    /// Those that succeeded.
    pub fn good(&self) -> impl Iterator<Item = &Shot> {
        self.0.iter().filter(|shot| shot.status == Some(200))
    }

    /// How many there were of each status; none stands for no response.
    pub fn statuses(&self) -> BTreeMap<Option<u16>, usize> {
        let mut statuses = BTreeMap::new();
        for shot in &self.0 {
            *statuses.entry(shot.status).or_default() += 1;
        }
        statuses
    }

    /// How long this share of the successful requests took at most: 0.99 for p99.
    ///
    /// # Panics
    /// If none succeeded.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut times: Vec<Duration> = self.good().map(|shot| shot.done - shot.at).collect();
        times.sort_unstable();
        let index = (times.len() as f64 * share) as usize;
        *times.get(index.min(times.len().saturating_sub(1))).expect("some request succeeded")
    }

    /// Successful requests per second of `time`.
    pub fn goodput(&self, time: Duration) -> f64 {
        self.good().count() as f64 / time.as_secs_f64()
    }

    /// How long after `fault` the first request that was sent behind it succeeded.
    pub fn back_after(&self, fault: Instant) -> Option<Duration> {
        let first = self.good().filter(|shot| shot.at >= fault).map(|shot| shot.done).min()?;
        Some(first - fault)
    }

    /// Those due from `from` on and before `until`.
    #[must_use]
    pub fn between(&self, from: Instant, until: Instant) -> Self {
        Self(self.0.iter().copied().filter(|shot| (from..until).contains(&shot.at)).collect())
    }
}

impl fmt::Display for Shots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests:", self.0.len())?;
        for (status, count) in self.statuses() {
            match status {
                Some(status) => write!(f, " {count} with status {status},")?,
                None => write!(f, " {count} without response,")?,
            }
        }
        if self.good().next().is_some() {
            write!(f, " p50 {:?}, p99 {:?}", self.percentile(0.5), self.percentile(0.99))?;
        }
        Ok(())
    }
}
