//! Hostile actors are cut at their limits, and their neighbours do not notice.

use std::{collections::BTreeMap, thread, time::Duration};

use wattle_testing::{Guest, KEY_VALUE, Lattice, Load, Shots, Site};

const PEAK_TIME: Duration = Duration::from_secs(3);
const NEIGHBOUR_TIME: Duration = Duration::from_secs(8);

/// The neighbour's clients. Many, because each has one request at a time: with few, one late answer delays all that come behind
/// it, and the rate would not be an open one.
const CLIENTS: usize = 256;

/// What a neighbour may notice at most.
const P99_FACTOR_MAX: u32 = 3;
const P99_FLOOR: Duration = Duration::from_millis(50);

struct Street {
    lattice: Lattice,
    neighbour: Site,
    villain: Site,
    rate: f64,
    alone: Duration,
}

/// A neighbour with 20 % of its peak, and how it fares alone; and a kit that will misbehave.
async fn street() -> Street {
    street_with(Guest::Kit).await
}

/// The same with another villain.
async fn street_with(villain: Guest) -> Street {
    let lattice = Lattice::start_alone().await;
    let neighbour = lattice.serve(Guest::Hello, "neighbour").await;
    lattice.actor_with(villain, "villain", &["--deadline", "3s"]).await;
    let villain = lattice.expose("villain").await;
    let peak = Load::new(&neighbour, "/", 32).closed(PEAK_TIME).await;
    let rate = peak.goodput(PEAK_TIME) * 0.2;
    let alone = Load::new(&neighbour, "/", CLIENTS).open(rate, PEAK_TIME).await.percentile(0.99);
    Street { lattice, neighbour, villain, rate, alone }
}

impl Street {
    /// The neighbour's requests while so many requests to the villain's path are always under way, and theirs.
    async fn beside(&self, path: &str, villains: usize) -> (Shots, Shots) {
        let load = Load::new(&self.neighbour, "/", CLIENTS);
        let villain = Load::new(&self.villain, path, villains);
        tokio::join!(load.open(self.rate, NEIGHBOUR_TIME), villain.closed(NEIGHBOUR_TIME))
    }

    fn assert_unnoticed(&self, neighbour: &Shots, by: &str) {
        let limit = (self.alone * P99_FACTOR_MAX).max(P99_FLOOR);
        let p99 = neighbour.percentile(0.99);
        println!("beside {by}: p99 {p99:?}, alone {:?}: {neighbour}", self.alone);
        assert!(p99 <= limit, "beside {by}: p99 {p99:?}, alone {:?}", self.alone);
        let failed = neighbour.0.iter().filter(|shot| shot.status != Some(200)).count();
        assert_eq!(failed, 0, "beside {by}: {neighbour}");
    }
}

fn assert_all_failed(villains: &Shots, statuses: &[u16]) {
    assert!(!villains.0.is_empty(), "no villain was cut");
    for shot in &villains.0 {
        assert!(shot.status.is_some_and(|status| statuses.contains(&status)), "{villains}");
    }
}

async fn failures(lattice: &Lattice, kind: &str) -> u64 {
    let status = lattice.actor_status("villain").await;
    status["failures"][kind].as_u64().unwrap_or_else(|| panic!("no {kind}: {status}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_spin_are_cut_at_their_deadline() {
    let street = street().await;
    let cores = thread::available_parallelism().expect("cores").get();
    let mut sites = vec![street.villain.clone()];
    for number in 1..2 * cores {
        let id = format!("villain-{number}");
        street.lattice.actor_with(Guest::Kit, &id, &["--deadline", "3s"]).await;
        sites.push(street.lattice.expose(&id).await);
    }
    let spinning = sites.iter().map(|site| {
        let load = Load::new(site, "/spin", 1);
        tokio::spawn(async move { load.closed(NEIGHBOUR_TIME).await })
    });
    let spinning: Vec<_> = spinning.collect();
    let neighbour = Load::new(&street.neighbour, "/", CLIENTS);
    let neighbour = neighbour.open(street.rate, NEIGHBOUR_TIME).await;
    street.assert_unnoticed(&neighbour, "spinning actors");
    for villain in spinning {
        assert_all_failed(&villain.await.expect("the load does not panic"), &[504]);
    }
    assert!(failures(&street.lattice, "deadline-exceeded").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_allocate_or_recurse_are_cut_at_their_limit() {
    let street = street().await;
    // The stack that a guest keeps in its memory ends where its memory begins: what lies below is out of bounds.
    let limits = [
        ("/alloc", "limit-exceeded"),
        ("/recurse", "limit-exceeded"),
        ("/recurse?frames=memory", "trapped"),
    ];
    let mut cut: BTreeMap<&str, u64> = BTreeMap::new();
    for (path, kind) in limits {
        let (neighbour, villains) = street.beside(path, 1).await;
        street.assert_unnoticed(&neighbour, path);
        assert_all_failed(&villains, &[500, 502, 507]);
        *cut.entry(kind).or_default() += villains.0.len() as u64;
        assert_eq!(failures(&street.lattice, kind).await, cut[kind], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_floods_a_provider_is_cut_at_its_deadline() {
    let street = street().await;
    street.lattice.provider("keyvalue-embedded").await;
    street.lattice.link("villain", "keyvalue-embedded", KEY_VALUE, &[]).await;
    let (neighbour, villains) = street.beside("/flood", 2).await;
    street.assert_unnoticed(&neighbour, "a flood");
    assert_all_failed(&villains, &[504]);
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_carry_much_to_each_other_hold_up_nobody() {
    let street = street_with(Guest::Front).await;
    street.lattice.actor(Guest::Back, "back").await;
    street.lattice.link("villain", "back", "wattle-test:chain/pricing", &[]).await;
    let (neighbour, villains) = street.beside("/bytes?count=300000", 8).await;
    street.assert_unnoticed(&neighbour, "values of 12 MB");
    assert!(villains.0.iter().any(|shot| shot.status == Some(200)), "{villains}");
}

/// Each of them is done in microseconds, and all of them would take years.
#[tokio::test(flavor = "multi_thread")]
async fn quick_actors_that_call_each_other_without_end_are_cut_at_their_deadline() {
    let street = street_with(Guest::Front).await;
    for actor in ["back", "mirror"] {
        street.lattice.actor(Guest::Back, actor).await;
    }
    for (caller, callee) in [("villain", "back"), ("back", "mirror"), ("mirror", "back")] {
        street.lattice.link(caller, callee, "wattle-test:chain/echo", &[]).await;
    }
    let small = Load::new(&street.villain, "/tree?depth=3&width=2", 1);
    let small = small.closed(Duration::from_secs(1)).await;
    assert!(small.0.iter().any(|shot| shot.status == Some(200)), "{small}");
    let (neighbour, villains) = street.beside("/tree?depth=14&width=8", 8).await;
    street.assert_unnoticed(&neighbour, "a tree of calls");
    assert_all_failed(&villains, &[504]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_answers_a_hundred_thousand_headers_is_cut() {
    let street = street().await;
    let (neighbour, villains) = street.beside("/headers", 1).await;
    street.assert_unnoticed(&neighbour, "100,000 headers");
    assert_all_failed(&villains, &[500, 502, 507]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_traps_or_says_nothing_fails_alone() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    for path in ["/trap", "/silent"] {
        let response = kit.get(path).await;
        assert!(matches!(response.status, 500 | 502), "{path}: {response:?}");
        assert!(response.header("x-request-id").is_some(), "{path}: {response:?}");
        assert!(!response.text().contains("wasm"), "{path}: {}", response.text());
        assert_eq!(kit.get("/").await.status, 200);
    }
    let log = lattice.log().await;
    assert!(log.contains("trap"), "{log}");
}

/// What a host keeps of a guest's names counts for no limit of the guest's memory.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_gives_its_host_endless_names_to_keep_takes_none_of_its_memory() {
    const GROWTH_BYTES_MAX: u64 = 64 << 20;
    let lattice = Lattice::start_alone().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    assert_eq!(kit.get("/").await.status, 200);
    let before = lattice.host().resident_bytes_max();
    // A target that is no interface is that of no link: there is nothing to refuse, and nothing to keep.
    for (what, refused) in [("targets", 0), ("methods", 50), ("authorities", 50)] {
        let response = kit.get(&format!("/hoard?what={what}&count=50&bytes=8388608")).await;
        assert_eq!(response.text(), format!("{refused} of 50 refused\n"), "{what}");
    }
    let grown = lattice.host().resident_bytes_max() - before;
    assert!(grown < GROWTH_BYTES_MAX, "the host grew by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_asks_for_more_than_there_is_does_not_start() {
    let lattice = Lattice::start().await;
    lattice.actor_with(Guest::Kit, "kit", &["--memory", "1GiB", "--deadline", "10m"]).await;
    let file = lattice.path().join("kit.wasm").to_string_lossy().into_owned();
    for (limit, asked, said) in
        [("--memory", "1025MiB", "1024 MiB"), ("--deadline", "11m", "600 s")]
    {
        let start = ["start", "actor", &file, "--id", "greedy", limit, asked];
        lattice.wattle(&start).await.code(2).naming(&["greedy", said]);
    }
}
