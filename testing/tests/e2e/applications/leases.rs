//! Which wadm acts, and what a hostile one can do.

use std::time::Duration;

use serde_json::Value;
use wattle_testing::{Guest, Lattice, Process, Turn, eventually};

use super::Web;

/// A wadm that is lost is replaced within this time.
const TAKEOVER: Duration = Duration::from_secs(5);

/// A lattice of two hosts, of which either may be wadm.
async fn two_wadms() -> Lattice {
    let lattice = Lattice::prepare(Turn::shared().await);
    for name in ["a", "b"] {
        lattice.up(&["--name", name]).await;
    }
    lattice
}

/// The process of the host that says so in its log, as the last that did.
async fn leader(lattice: &Lattice) -> (String, Process) {
    let mut found = None;
    let file = lattice.file();
    for host in file["hosts"].as_array().expect("hosts") {
        let name = host["name"].as_str().expect("a name");
        let log = lattice.wattle(&["logs", "--host", name, "--lines", "1000"]).await;
        if !log.is_ok() {
            continue;
        }
        let acts =
            log.stdout.lines().rev().find(|line| {
                line.contains("wadm acts") || line.contains("wadm waits for the lease")
            });
        if acts.is_some_and(|line| line.contains("wadm acts")) {
            let pid = host["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            found = Some((name.to_owned(), Process::new(pid.expect("a process"))));
        }
    }
    found.expect("one acts")
}

async fn answers(lattice: &Lattice) -> Option<Value> {
    let said = lattice.wattle(&["app", "list", "-o", "json", "--timeout", "1s"]).await;
    said.is_ok().then(|| said.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_wadm_takes_over_from_one_that_is_killed() {
    let lattice = two_wadms().await;
    let mut web = Web::new(&lattice, "shop", Guest::Hello);
    web.instances = 2;
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let (name, process) = leader(&lattice).await;
    process.kill();
    eventually("another one answers", TAKEOVER, async || answers(&lattice).await).await;
    let (other, _) = leader(&lattice).await;
    assert_ne!(other, name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wadm_that_stood_still_acts_no_more_until_it_holds_the_lease_again() {
    let lattice = two_wadms().await;
    let mut web = Web::new(&lattice, "shop", Guest::Hello);
    web.instances = 2;
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let (name, process) = leader(&lattice).await;
    process.freeze();
    eventually("another one answers", TAKEOVER, async || answers(&lattice).await).await;
    let other = if name == "a" { "b" } else { "a" };
    // Meanwhile something is to be done, by the other one.
    web.instances = 4;
    lattice.wattle(&["app", "deploy", &web.write("v2")]).await.ok();
    tokio::time::sleep(Duration::from_secs(60)).await;
    process.thaw();
    eventually("it has noticed", TAKEOVER, async || {
        let log = lattice.wattle(&["logs", "--host", &name, "--lines", "1000"]).await;
        let last = log
            .stdout
            .lines()
            .rev()
            .find(|line| line.contains("wadm acts") || line.contains("wadm waits"))?
            .to_owned();
        last.contains("wadm waits").then_some(())
    })
    .await;
    assert_eq!(leader(&lattice).await.0, other);
    // It is a host as before, and gets its part.
    eventually("both have a part", Duration::from_secs(15), async || {
        let status = lattice.wattle(&["app", "status", "shop", "-o", "json"]).await;
        let status = status.is_ok().then(|| status.json())?;
        let front = status["components"].as_array()?.iter().find(|it| it["id"] == "shop/front")?;
        (front["hosts"].as_array()?.len() == 2 && status["state"] == "settled").then_some(())
    })
    .await;
}
