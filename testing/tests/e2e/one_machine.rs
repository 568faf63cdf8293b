//! Several hosts of one project, on one machine: `wattle up`, and again.

use std::time::Duration;

use serde_json::Value;
use wattle_testing::{Guest, Lattice, Nats, Process, Site, Turn, eventually};

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

/// Guests that take a while to compile.
const SLOW: [(Guest, &str); 4] = [
    (Guest::Shop, "shop"),
    (Guest::Todo, "todo"),
    (Guest::Orders, "orders"),
    (Guest::LinkChecker, "link-checker"),
];

/// A project whose host, which does not run now, has much to compile before it is ready.
async fn slow_to_start() -> Lattice {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Kit, "kit").await;
    for (guest, id) in SLOW {
        lattice.actor(guest, id).await;
    }
    lattice.wattle(&["down"]).await.ok();
    forget_compiled(&lattice);
    lattice
}

fn forget_compiled(lattice: &Lattice) {
    let compiled = lattice.project().join("host/cache/compiled");
    std::fs::remove_dir_all(compiled).expect("what it ran was compiled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_still_starting_is_one_that_runs() {
    let lattice = slow_to_start().await;
    let impatient = ["up", "-d", "--timeout", "1ms"];
    lattice.wattle(&impatient).await.code(5).naming(&["does not answer"]);
    let (host, nats) = (lattice.host(), lattice.nats_server());
    assert!(host.is_alive() && nats.is_alive());
    lattice.wattle(&["down"]).await.ok().naming(&["stopped host", "nats-server"]);
    all_gone([host, nats]).await;

    forget_compiled(&lattice);
    lattice.wattle(&impatient).await.code(5);
    let (host, nats) = (lattice.host(), lattice.nats_server());
    let name = lattice.file()["hosts"][0]["name"].as_str().expect("a name").to_owned();
    let again = lattice.ask(&["up", "-d", "--name", &name]).await;
    assert_eq!(again["already-running"], true, "{again}");
    assert_eq!(again["host"]["name"], name.as_str(), "{again}");
    assert_eq!(again["host"]["pid"], host.pid(), "{again}");
    assert_eq!(ready(&lattice).await, [name]);
    assert!(nats.is_alive());
    lattice.wattle(&["call", "kit", "/"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn up_that_is_interrupted_leaves_nothing_running() {
    let lattice = slow_to_start().await;
    for (arguments, code, text) in [
        (&["up", "-d"][..], 1, "stopped by SIGINT before the host was ready"),
        (&["up"], 0, "stopped\n"),
    ] {
        let up = lattice.spawn(arguments);
        let host = eventually("a host begins", SOON, async || lattice.processes().next()).await;
        let nats = lattice.nats_server();
        Process::new(up.id().expect("it runs")).interrupt();
        let said = up.wait_with_output().await.expect("it ends");
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
        assert!(said.stdout.is_empty(), "nobody is told that it is up");
        all_gone([host, nats]).await;
        assert_eq!(lattice.processes().count(), 0);
        forget_compiled(&lattice);
    }
    lattice.up(&[]).await;
    lattice.wattle(&["call", "kit", "/"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_while_it_starts_finishes_the_calls_that_it_took() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    let compiled = || {
        let entries = std::fs::read_dir(lattice.project().join("host/cache/compiled"));
        entries.expect("it has compiled").map(|entry| entry.expect("an entry").path())
    };
    let first: Vec<_> = compiled().collect();
    for (guest, id) in SLOW {
        lattice.actor(guest, id).await;
    }
    lattice.wattle(&["down"]).await.ok();
    // All the others are compiled anew, and kit answers meanwhile.
    for path in compiled().filter(|path| !first.contains(path)) {
        std::fs::remove_file(path).expect("a file");
    }
    lattice.wattle(&["up", "-d", "--timeout", "1ms"]).await.code(5);
    let host = lattice.host();
    answers(&kit).await;
    let (answer, ()) = tokio::join!(kit.get("/sleep?ms=2000"), async {
        // The call is there by now; nothing says so before the host takes commands.
        tokio::time::sleep(Duration::from_millis(500)).await;
        host.terminate();
    });
    assert_eq!(answer.status, 200);
    host.gone(SOON).await;
}

/// A copy of the project's folder, made while its hosts run.
pub(crate) fn copied(lattice: &Lattice) -> String {
    let copy = lattice.path().join("copy").to_string_lossy().into_owned();
    let copied =
        std::process::Command::new("cp").arg("-a").arg(lattice.project()).arg(&copy).status();
    // What a host or the nats-server removed meanwhile may be missing.
    copied.expect("cp is installed");
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_project_stops_nothing_of_the_original() {
    let lattice = Lattice::start().await;
    lattice.up(&[]).await;
    let copy = copied(&lattice);
    let processes: Vec<Process> = lattice.processes().chain([lattice.nats_server()]).collect();
    lattice.wattle(&["down", "--dir", &copy]).await.ok().naming(&["nothing was running"]);
    lattice.wattle(&["up", "-d", "--dir", &copy]).await.code(6).naming(&["is a copy"]);
    assert!(processes.iter().all(|process| process.is_alive()));
    assert_eq!(ready(&lattice).await.len(), 2);
    lattice.wattle(&["down"]).await.ok();
    all_gone(processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_that_one_points_to_stays_the_lattices_also_after_a_crash() {
    let nats = Nats::start().await;
    let lattice = Lattice::start().await;
    let crashed = [lattice.host(), lattice.nats_server()];
    crashed.iter().for_each(|process| process.kill());
    all_gone(crashed).await;
    lattice.up(&["--nats-url", &nats.url()]).await;
    let file = lattice.file();
    assert_eq!(file["nats_pid"], Value::Null, "{file}");
    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    assert_eq!(lattice.file()["nats"], file["nats"]);
    assert_eq!(ready(&lattice).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_up_started_stays_its_own_also_where_its_url_is_said() {
    let lattice = Lattice::start().await;
    let url = lattice.file()["nats"]["url"].as_str().expect("a URL").to_owned();
    let nats = lattice.file()["nats"].clone();
    lattice.up(&["--nats-url", &url]).await;
    assert_eq!(lattice.file()["nats"], nats, "credentials and all");
    assert_eq!(ready(&lattice).await.len(), 2);
    lattice.wattle(&["get", "inventory", "--nats-url", &url, "--host", &lattice.home()]).await.ok();
    let server = lattice.nats_server();
    lattice.wattle(&["down"]).await.ok().naming(&["nats-server"]);
    all_gone([server]).await;
    lattice.up(&[]).await;
    assert!(lattice.nats_server().is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_had_leaves_no_server_behind() {
    let lattice = Lattice::prepare(Turn::shared().await);
    std::fs::create_dir_all(lattice.project().join("host/lock")).expect("no lock, but a folder");
    lattice.wattle(&["up", "-d"]).await.code(1).naming(&["stopping nats-server"]);
    assert_eq!(lattice.file()["nats_pid"], Value::Null);
    std::fs::remove_dir(lattice.project().join("host/lock")).expect("it is empty");
    lattice.up(&[]).await;
    // Nor does it stop one that was there before.
    lattice.wattle(&["down"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_deleted_also_where_a_host_of_one_end_is_gone() {
    let lattice = Lattice::prepare(Turn::shared().await);
    lattice.up(&["--name", "alpha"]).await;
    lattice.up(&["--name", "beta"]).await;
    lattice.actor_on("beta", Guest::Hello, "hello", &[]).await;
    let hello = lattice.expose("hello").await;
    answers(&hello).await;
    let beta = lattice.processes().nth(1).expect("beta");
    beta.kill();
    beta.gone(SOON).await;
    let del = ["link", "del", "http-server", "hello", "wasi:http"];
    lattice.wattle(&del).await.ok().naming(&["is away"]);
    lattice.wattle(&del).await.code(4);
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
