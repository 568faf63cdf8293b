//! Sixty-four callers at once through one link, beside a program that does the same itself, through as many connections.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_postgres::{Client, NoTls, Statement};
use wattle_core::{Constraints, call::Call};
use wattle_postgres::{Caller, PgValue};

use super::{
    process::Process,
    server::{Server, connections},
};

const CALLERS: usize = 64;

const POOL: usize = 8;

/// Windows of each kind, taken in turn: what the machine does meanwhile meets all alike.
const ROUNDS: usize = 3;

/// How long a window is. `WATTLE_LOAD_SECONDS=7` makes a minute and a half of it.
const WINDOW: Duration = Duration::from_secs(1);

/// How much of the other program's work goes through the link at the least. On a quiet machine of two cores it is 0.41 for queries and
/// 0.46 for prepared statements (`WATTLE_LOAD_SECONDS=20`); this is for a busy one, on which the two processes have others in between.
const RATIO_MIN: f64 = 0.15;

const QUERY: &str = "SELECT id, title, amount FROM entries WHERE id = $1";
const ENTRIES: i32 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_share_a_link_s_connections_without_an_error() {
    let server = Server::start().await;
    let watch = server.client().await;
    let make = "CREATE TABLE entries (id int PRIMARY KEY, title text NOT NULL, amount numeric NOT NULL); \
        INSERT INTO entries SELECT n, 'entry ' || n, n FROM generate_series(1, 1000) n";
    watch.batch_execute(make).await.expect("a table");
    let process = Process::start().await;
    let settings = server.settings(&[("pool_size", &POOL.to_string())]);
    let linked = process.put(Constraints::new(), settings).await.expect("a link");
    let linked = Arc::new(linked);
    let token: Arc<str> = linked.prepare(QUERY).await.expect("a token").into();
    let native = Arc::new(Native::connect(&server.url()).await);

    let [mut queries, mut prepared, mut bare] = [const { Vec::new() }; 3];
    let mut most = 0;
    for _ in 0..ROUNDS {
        let counted = async {
            loop {
                most = most.max(connections(&watch).await.0);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let windows = async {
            queries.push(window(&linked, query).await);
            let token = Arc::clone(&token);
            prepared.push(
                window(&linked, move |linked, id| exec(linked, Arc::clone(&token), id)).await,
            );
            bare.push(window(&native, Native::query).await);
        };
        tokio::select! {
            () = counted => unreachable!("it never ends"),
            () = windows => {}
        }
    }
    assert!(most <= POOL as i64, "{most} connections");
    let (queries, prepared, bare) = (median(queries), median(prepared), median(bare));
    println!(
        "through the link {queries:.0}/s, prepared {prepared:.0}/s; a program by itself {bare:.0}/s: {:.2}, {:.2}",
        queries / bare,
        prepared / bare
    );
    assert!(queries / bare > RATIO_MIN && prepared / bare > RATIO_MIN);
}

async fn query<C: Call>(linked: Arc<Caller<C>>, id: i32) {
    let rows = linked.query(QUERY, &[PgValue::Int4(id)]).await.expect("no error");
    assert_eq!(rows[0][0].value, PgValue::Int4(id));
}

async fn exec<C: Call>(linked: Arc<Caller<C>>, token: Arc<str>, id: i32) {
    assert_eq!(linked.exec(&token, &[PgValue::Int4(id)]).await, Ok(1));
}

/// How often a second something is done by all callers together.
async fn window<T, F>(with: &Arc<T>, run: impl Fn(Arc<T>, i32) -> F + Clone + Send + 'static) -> f64
where
    T: Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let seconds = std::env::var("WATTLE_LOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    let (began, length) = (Instant::now(), seconds.map_or(WINDOW, Duration::from_secs));
    let mut callers = JoinSet::new();
    for first in 0..CALLERS {
        let (with, run) = (Arc::clone(with), run.clone());
        callers.spawn(async move {
            let mut done = 0;
            let mut ids = (1..=ENTRIES).cycle().skip(first * 10);
            while began.elapsed() < length {
                run(Arc::clone(&with), ids.next().expect("endless")).await;
                done += 1;
            }
            done
        });
    }
    let done: u32 = callers.join_all().await.into_iter().sum();
    f64::from(done) / began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// As many connections as the link has, each with the statement prepared, one call at a time on each.
struct Native {
    free: Semaphore,
    idle: Mutex<Vec<(Client, Statement)>>,
}

impl Native {
    async fn connect(url: &str) -> Self {
        let mut idle = Vec::new();
        for _ in 0..POOL {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it is up");
            tokio::spawn(connection);
            let statement = client.prepare(QUERY).await.expect("a statement");
            idle.push((client, statement));
        }
        Self { free: Semaphore::new(POOL), idle: Mutex::new(idle) }
    }

    async fn query(self: Arc<Self>, id: i32) {
        let _permit = self.free.acquire().await.expect("it is never closed");
        let (client, statement) =
            self.idle.lock().expect("nobody panics").pop().expect("one for each permit");
        let row = client.query_one(&statement, &[&id]).await.expect("no error");
        assert_eq!(row.get::<_, i32>(0), id);
        self.idle.lock().expect("nobody panics").push((client, statement));
    }
}
