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

#[tokio::test(flavor = "multi_thread")]
async fn a_spread_lands_as_declared_and_is_restored_after_kills() {
    let kills = std::env::var("WATTLE_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(4);
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

    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // The host that serves is spared here: who asks it is cut off with it.
        let (victim, rest): (&str, [(&str, u64); 2]) = match random % 2 {
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
