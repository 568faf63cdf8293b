//! A spread over three hosts that are killed and come back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wattle_testing::{Guest, Lattice, Load, Process, Turn, eventually};

use super::Web;
use crate::hosts::assert_typed;

/// How long a spread may take until it is as it should be, once hosts are there.
const SETTLES: Duration = Duration::from_secs(30);

/// A lattice of three hosts, each in a zone of its own; every one may be wadm.
async fn three_zones() -> Lattice {
    let lattice = Lattice::prepare(Turn::alone().await);
    for zone in ["a", "b", "c"] {
        start(&lattice, zone).await;
    }
    lattice
}

async fn start(lattice: &Lattice, zone: &str) {
    lattice.up(&["--name", zone, "--label", &format!("zone={zone}")]).await;
}

fn process(lattice: &Lattice, name: &str) -> Process {
    let file = lattice.file();
    let hosts = file["hosts"].as_array().expect("hosts").iter();
    let host = hosts.into_iter().find(|host| host["name"] == name).expect("the host runs");
    let pid = host["pid"].as_u64().expect("a process");
    Process::new(u32::try_from(pid).expect("a process"))
}

/// Where the spread's instances answer, by host.
fn placed(status: &Value) -> BTreeMap<String, u64> {
    let components = status["components"].as_array().expect("components").iter();
    let front = components.into_iter().find(|it| it["id"] == "shop/front").expect("it is there");
    let hosts = front["hosts"].as_array().expect("hosts").iter();
    let ready = hosts.map(|host| {
        let name = host["name"].as_str().expect("a name").to_owned();
        (name, host["ready"].as_u64().expect("a number"))
    });
    ready.filter(|(_, ready)| *ready > 0).collect()
}

async fn settled_as(lattice: &Lattice, expected: &[(&str, u64)]) {
    let expected: BTreeMap<String, u64> =
        expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let mut last = Value::Null;
    let began = Instant::now();
    loop {
        let said = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
        if said.is_ok() {
            last = said.json();
            if last["state"] == json!("settled") && placed(&last) == expected {
                return;
            }
        }
        assert!(began.elapsed() < SETTLES, "{expected:?}: {last:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// 9 instances: 4 in zone a, 3 in b, 2 in c.
const WEIGHTS: &str = "spread: [\
    {name: a, requirements: {zone: a}, weight: 4}, \
    {name: b, requirements: {zone: b}, weight: 3}, \
    {name: c, requirements: {zone: c}, weight: 2}]";
const DECLARED: [(&str, u64); 3] = [("a", 4), ("b", 3), ("c", 2)];

/// How many hosts are killed in a row.
fn kills() -> u32 {
    std::env::var("WATTLE_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(4)
}

/// Numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spread_lands_as_declared_and_is_restored_after_kills() {
    let kills = kills();
    let lattice = three_zones().await;
    let mut web = Web::new(&lattice, "shop", Guest::Kit);
    web.instances = 9;
    web.pinned = Some("zone: a".to_owned());
    // Planned without its image.
    let text = web.text("v1", "", WEIGHTS).replace("front.wasm", "nothing.wasm");
    let file = lattice.write("planned.yaml", text.as_bytes());
    let planned = lattice.ask(&["app", "plan", &file]).await;
    assert_eq!(planned["components"][0]["hosts"], json!({"a": 4, "b": 3, "c": 2}), "{planned}");
    assert_eq!(planned["components"][0]["change"], "added");
    lattice.wattle(&["app", "deploy", &web.write_with("v1", "", WEIGHTS)]).await.ok();
    settled_as(&lattice, &DECLARED).await;
    let text = web.text("v2", "", "instances: 2");
    let file = lattice.write("planned.yaml", text.as_bytes());
    let said = lattice.wattle(&["app", "plan", &file]).await.ok();
    said.naming(&["~ shop/front (file:front.wasm)", "another scaler", "= shop/web -> shop/front"]);

    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for kill in 0..kills {
        // The host that serves is spared here: who asks it is cut off with it.
        let (victim, rest): (&str, [(&str, u64); 2]) = match random.below(2) {
            0 => ("b", [("a", 5), ("c", 4)]),
            _ => ("c", [("a", 5), ("b", 4)]),
        };
        let load = Load::new(&web.site, "/sleep?ms=10", 6);
        let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(7)).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let host = process(&lattice, victim);
        let killed = Instant::now();
        host.kill();
        let answers = |status: &Value| placed(status).values().sum::<u64>() == 9;
        eventually("all answer elsewhere", Duration::from_secs(5), async || {
            let said = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
            let status = said.is_ok().then(|| said.json())?;
            let is_gone = !placed(&status).contains_key(victim);
            (is_gone && answers(&status)).then_some(())
        })
        .await;
        let took = killed.elapsed();
        settled_as(&lattice, &rest).await;
        let shots = shooting.await.expect("the load does not panic");
        println!("kill {kill} of {victim}: replaced in {took:?}; {shots}");
        assert_typed(&shots);
        let late = shots.between(killed + Duration::from_secs(5), killed + Duration::from_secs(7));
        assert_eq!(late.good().count(), late.0.len(), "{late}");
        host.gone(Duration::from_secs(5)).await;
        start(&lattice, victim).await;
        settled_as(&lattice, &DECLARED).await;
    }
}

/// Any of the three, the one that serves and the one whose wadm acts among them.
#[tokio::test(flavor = "multi_thread")]
async fn whichever_host_is_killed_the_application_serves_again_and_is_whole() {
    let lattice = three_zones().await;
    let mut web = Web::new(&lattice, "shop", Guest::Kit);
    web.instances = 9;
    lattice.wattle(&["app", "deploy", &web.write_with("v1", "", WEIGHTS)]).await.ok();
    settled_as(&lattice, &DECLARED).await;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for kill in 0..kills() {
        let serves = web_host(&lattice).await;
        let any = ["a", "b", "c"][usize::try_from(random.below(3)).expect("a small number")];
        // Each second time the one that serves, so that few kills show it, too.
        let victim = if kill % 2 == 0 { serves.clone() } else { any.to_owned() };
        let load = Load::new(&web.site, "/sleep?ms=10", 6);
        let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(8)).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let host = process(&lattice, &victim);
        let killed = Instant::now();
        host.kill();
        let took = loop {
            let said = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
            let answer = web.site.try_get("/").await.map(|answer| answer.status);
            let placed = if said.is_ok() { placed(&said.json()) } else { BTreeMap::new() };
            let is_whole = placed.values().sum::<u64>() == 9 && !placed.contains_key(&victim);
            if is_whole && answer.as_ref().is_ok_and(|status| *status == 200) {
                break killed.elapsed();
            }
            let late = killed.elapsed() > Duration::from_secs(6);
            assert!(!late, "{victim} was killed, served by {serves}: {answer:?}, {said}");
        };
        let shots = shooting.await.expect("the load does not panic");
        println!("kill {kill} of {victim} (served by {serves}): whole after {took:?}; {shots}");
        // Who is cut off with the server gets no answer at all; each answer is a good one or a typed failure.
        let failed = shots.0.iter().filter(|shot| shot.status != Some(200));
        let untyped = failed.filter(|shot| !matches!(shot.status, None | Some(502..=504)));
        assert_eq!(untyped.count(), 0, "{shots}");
        if victim != serves {
            assert!(shots.0.iter().all(|shot| shot.status.is_some()), "{shots}");
        }
        let late = shots.between(killed + Duration::from_secs(6), killed + Duration::from_secs(8));
        assert_eq!(late.good().count(), late.0.len(), "{late}");
        host.gone(Duration::from_secs(5)).await;
        start(&lattice, &victim).await;
        settled_as(&lattice, &DECLARED).await;
    }
}

/// The host that runs the http-server.
async fn web_host(lattice: &Lattice) -> String {
    let status = lattice.ask(&["app", "status", "shop"]).await;
    let components = status["components"].as_array().expect("components").iter();
    let web = components.into_iter().find(|it| it["id"] == "shop/web").expect("it is there");
    let hosts = web["hosts"].as_array().expect("hosts").iter();
    let ready = hosts.into_iter().find(|host| host["ready"] == json!(1)).expect("it is ready");
    ready["name"].as_str().expect("a name").to_owned()
}
