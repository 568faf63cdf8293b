//! Several hosts of one project, on one machine: `wattle up`, and again.

use std::time::Duration;

use serde_json::Value;
use wattle_testing::{Guest, Lattice, Process, Site, Turn, eventually};

const SOON: Duration = Duration::from_secs(10);

/// The names of the hosts that are ready, the first one's first.
async fn ready(lattice: &Lattice) -> Vec<String> {
    let heard = lattice.ask(&["get", "hosts"]).await;
    let heard = heard.as_array().expect("hosts");
    let is_ready =
        |key: &Value| heard.iter().any(|it| it["host"] == *key && it["state"] == "ready");
    let hosts = lattice.file()["hosts"].as_array().cloned().unwrap_or_default();
    let ready = hosts.iter().filter(|host| is_ready(&host["key"]));
    ready.map(|host| host["name"].as_str().expect("a name").to_owned()).collect()
}

async fn answers(site: &Site) {
    eventually("hello answers", SOON, async || {
        site.try_get("/").await.ok().filter(|response| response.status == 200)
    })
    .await;
}

async fn all_gone(processes: impl IntoIterator<Item = Process>) {
    for process in processes {
        process.gone(Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_twice_is_two_hosts_that_work_together_and_come_back_as_they_were() {
    let lattice = Lattice::prepare(Turn::shared().await);
    lattice.up(&[]).await;
    lattice.up(&[]).await;
    let names = ready(&lattice).await;
    let [first, second] = &names[..] else { panic!("two hosts: {names:?}") };
    assert_eq!(*second, format!("{first}-2"));

    lattice.actor_on(second, Guest::Hello, "hello", &[]).await;
    let hello = lattice.expose("hello").await;
    assert_eq!(hello.get("/").await.status, 200);
    let inventories = lattice.ask(&["get", "inventory"]).await;
    assert_eq!(inventories[0]["providers"][0]["id"], "http-server", "{inventories}");
    assert_eq!(inventories[1]["actors"][0]["id"], "hello", "{inventories}");
    let log = lattice.log().await;
    for name in &names {
        assert!(log.lines().any(|line| line.starts_with(&format!("{name} | "))), "{name}: {log}");
    }
    let log = lattice.wattle(&["logs", "--host", second]).await.ok();
    assert!(log.stdout.contains("host started") && !log.stdout.contains(" | "), "{log}");

    for name in &names {
        let before: Vec<Process> = lattice.processes().collect();
        let again = lattice.ask(&["up", "-d", "--name", name]).await;
        assert_eq!(again["already-running"], true, "{again}");
        assert_eq!(again["host"]["name"], name.as_str(), "{again}");
        assert_eq!(lattice.processes().collect::<Vec<_>>(), before);
    }

    let processes: Vec<Process> = lattice.processes().chain([lattice.nats_server()]).collect();
    lattice.wattle(&["down"]).await.ok().naming(&[first, second, "nats-server"]);
    all_gone(processes).await;
    assert!(hello.try_get("/").await.is_err());

    lattice.up(&[]).await;
    lattice.up(&[]).await;
    assert_eq!(ready(&lattice).await, names);
    answers(&hello).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nats_server_goes_on_until_the_last_host_stops() {
    let lattice = Lattice::prepare(Turn::shared().await);
    let alpha = lattice.spawn(&["up", "--name", "alpha"]);
    eventually("alpha is up", SOON, async || {
        let file = std::fs::read_to_string(lattice.project().join("lattice.json")).ok()?;
        file.contains("\"alpha\"").then_some(())
    })
    .await;
    eventually("beta may start", SOON, async || {
        lattice.wattle(&["up", "-d", "--name", "beta"]).await.is_ok().then_some(())
    })
    .await;
    lattice.up(&["--name", "gamma"]).await;
    lattice.actor_on("beta", Guest::Hello, "hello", &[]).await;
    lattice.wattle(&["down", "nobody"]).await.code(4).naming(&["nobody"]);

    let (host, nats) = (lattice.host(), lattice.nats_server());
    host.interrupt();
    let said = alpha.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("goes on for beta, gamma"), "{said}");
    assert!(nats.is_alive());
    assert_eq!(ready(&lattice).await, ["beta", "gamma"]);
    lattice.wattle(&["call", "hello", "/"]).await.ok();

    // Not by `wattle down`: it sees to itself.
    let mut processes: Vec<Process> = lattice.processes().collect();
    let gamma = processes.pop().expect("gamma");
    gamma.terminate();
    gamma.gone(SOON).await;
    assert!(nats.is_alive());
    lattice.wattle(&["down", "beta"]).await.ok().naming(&["beta", "nats-server"]);
    all_gone(processes.into_iter().chain([nats])).await;
    lattice.wattle(&["down", "beta"]).await.ok().naming(&["nothing was running"]);

    // The first host's place is free: a name that is another's does not take it.
    lattice.up(&["--name", "beta"]).await;
    lattice.wattle(&["call", "hello", "/"]).await.ok();
    let (beta, nats) = (lattice.host(), lattice.nats_server());
    beta.terminate();
    all_gone([beta, nats]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_one_hosts_alone() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let token = || std::fs::read(lattice.project().join("host/host.jwt")).expect("a token");
    let before = token();
    let refused = lattice.wattle(&["host", "--name", "other"]).await;
    refused.code(6).naming(&["another process runs a host", "wattle up"]);
    assert_eq!(token(), before, "the running host is who it was");
    answers(&hello).await;

    let elsewhere = ["up", "-d", "--nats-url", "nats://127.0.0.1:1"];
    lattice.wattle(&elsewhere).await.code(6).naming(&["wattle down"]);
    let elsewhere = ["up", "-d", "--lattice", "other"];
    lattice.wattle(&elsewhere).await.code(6).naming(&["wattle down"]);
    assert_eq!(ready(&lattice).await.len(), 1);
}
