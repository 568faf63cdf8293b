//! NATS as people run it themselves, from what `wattle nats init` writes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use wattle_core::{HostKey, Subject};
use wattle_testing::{GivenNats, Guest, HTTP, Lattice, Turn, eventually, free_port, http};

const SOON: Duration = Duration::from_secs(15);

/// A host of another machine: its folder and its key, admitted by the lattice's account.
struct Device {
    name: &'static str,
    folder: PathBuf,
    key: HostKey,
}

impl Device {
    /// Asks to be admitted, and is.
    async fn admitted(lattice: &Lattice, name: &'static str) -> Self {
        let folder = lattice.path().join(name);
        let operator = lattice.chain().audience().operator.to_string();
        let at = folder.to_string_lossy().into_owned();
        let host = ["host", "--dir", &at, "--name", name, "--trust", &operator];
        let nowhere = ["--nats-url", "nats://127.0.0.1:1"];
        let refused = lattice.wattle(&[&host[..], &nowhere].concat()).await;
        let key = refused.code(3).host_key();
        let token = folder.join("host/host.jwt").to_string_lossy().into_owned();
        lattice
            .wattle(&["claims", "sign", "host", &key, "--name", name, "--out", &token])
            .await
            .ok();
        Self { name, folder, key: key.parse().expect("a key") }
    }

    fn spawn(&self, lattice: &Lattice, nats: &[&str]) -> tokio::process::Child {
        let operator = lattice.chain().audience().operator.to_string();
        let at = self.folder.to_string_lossy().into_owned();
        let host = ["host", "--dir", &at, "--name", self.name, "--trust", &operator];
        lattice.spawn(&[&host[..], nats].concat())
    }

    fn allow(&self) -> String {
        format!("{}={}", self.name, self.key)
    }
}

/// A project that has keys and nothing else.
async fn project() -> Lattice {
    let lattice = Lattice::prepare(Turn::shared().await);
    lattice.wattle(&["keys", "gen", "account"]).await.ok();
    lattice
}

/// Waits until the hosts that a user hears are these.
async fn hosts_are(lattice: &Lattice, nats: &[&str], expected: &[&str]) {
    eventually(&format!("hosts {expected:?}"), SOON, async || {
        let said = lattice.wattle(&[&["get", "hosts", "-o", "json"], nats].concat()).await;
        let hosts = said.is_ok().then(|| said.json())?;
        let mut names: Vec<_> =
            hosts.as_array()?.iter().filter_map(|host| host["beat"]["name"].as_str()).collect();
        names.sort_unstable();
        (names == expected).then_some(())
    })
    .await;
}

/// What NATS says to a client that publishes where it may not.
async fn publish(url: &str, ca: &str, seed: &str, subject: String) -> Option<String> {
    let (sender, mut said) = tokio::sync::mpsc::channel(64);
    let seed = std::fs::read_to_string(seed).expect("a seed").trim().to_owned();
    let client = async_nats::ConnectOptions::with_nkey(seed)
        .add_root_certificates(ca.into())
        .event_callback(move |event| {
            let _ = sender.try_send(event.to_string());
            async {}
        })
        .connect(url)
        .await
        .expect("let in");
    client.publish(subject, "x".into()).await.expect("sent");
    client.flush().await.expect("flushed");
    let violation = async {
        while let Some(event) = said.recv().await {
            if event.to_lowercase().contains("violation") {
                return event;
            }
        }
        unreachable!("the client lives")
    };
    tokio::time::timeout(Duration::from_secs(1), violation).await.ok()
}

/// What a server did not allow.
fn denied(folder: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(folder.join("nats.log")).expect("a log");
    log.lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardened_server_lets_each_host_do_its_own_work_and_no_other() {
    let lattice = project().await;
    let (pi, other) =
        (Device::admitted(&lattice, "pi").await, Device::admitted(&lattice, "other").await);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let folder = lattice.path().join("nats");
    let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let out = folder.to_string_lossy().into_owned();
    let (allow, allow_other) = (pi.allow(), other.allow());
    let init =
        ["nats", "init", "server", "--out", &out, "--listen", &listen, "--allow-host", &allow];
    lattice.wattle(&init).await.ok().naming(&["nats-server -c server.conf", "user.nkey"]);
    let before = std::fs::read(at("host-pi.nkey")).expect("a credential");
    let one_more = [&init[..], &["--allow-host", &allow_other]].concat();
    lattice.wattle(&one_more).await.code(6).naming(&["--force"]);
    lattice.wattle(&[&one_more[..], &["--force"]].concat()).await.ok();
    assert_eq!(std::fs::read(at("host-pi.nkey")).expect("a credential"), before);

    let _server = GivenNats::start(&folder, "server.conf", port).await;
    let (url, ca) = (format!("tls://localhost:{port}"), at("ca.crt"));
    let (user, seed, other_seed) = (at("user.nkey"), at("host-pi.nkey"), at("host-other.nkey"));
    let as_user = ["--nats-url", &url, "--tls-ca", &ca, "--nkey", &user];
    let _pi = pi.spawn(&lattice, &["--nats-url", &url, "--tls-ca", &ca, "--nkey", &seed]);
    let _other =
        other.spawn(&lattice, &["--nats-url", &url, "--tls-ca", &ca, "--nkey", &other_seed]);
    hosts_are(&lattice, &as_user, &["other", "pi"]).await;

    let on = |host: &'static str| [&["--host", host], &as_user[..]].concat();
    lattice.actor_with(Guest::Hello, "hello", &on("pi")).await;
    let start = [&["start", "provider", "http-server"], &on("other")[..]].concat();
    lattice.wattle(&start).await.ok();
    let address = format!("127.0.0.1:{}", free_port());
    let source = format!("address={address}");
    let settings = [&["--source", &source], &on("other")[..]].concat();
    lattice.link("http-server", "hello", HTTP, &settings).await;
    let response = http(&address, "GET", "/", &[], b"").await.expect("an answer");
    assert_eq!(response.status, 200, "{}", response.text());

    let name: wattle_core::LatticeName = "default".parse().expect("a name");
    let beat = |device: &Device| {
        Subject::Beat { lattice: name.clone(), host: device.key.clone() }.to_string()
    };
    assert_eq!(publish(&url, &ca, &seed, beat(&pi)).await, None);
    let violation = publish(&url, &ca, &seed, beat(&other)).await;
    assert!(violation.is_some_and(|said| said.contains(other.key.as_str())));
    let commands = Subject::Control { lattice: name.clone(), host: other.key.clone() }.to_string();
    assert!(publish(&url, &ca, &seed, commands).await.is_some(), "hosts command nobody");
    for named in [&["--tls-ca", &ca][..], &["--nkey", &user]] {
        let stranger = [&["get", "hosts", "--nats-url", &url], named].concat();
        lattice.wattle(&stranger).await.code(5);
    }
    let denied = denied(&folder);
    assert_eq!(denied.len(), 2, "only what was tried here: {denied:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_behind_a_leaf_node_serves_on_without_its_hub_and_joins_again() {
    let lattice = project().await;
    let (cloud, pi) =
        (Device::admitted(&lattice, "cloud").await, Device::admitted(&lattice, "pi").await);
    let folders = [lattice.path().join("hub"), lattice.path().join("site")];
    let [hub_at, site_at] = &folders;
    let file = |folder: &PathBuf, name: &str| folder.join(name).to_string_lossy().into_owned();
    let (hub_port, leaf_port, site_port) = (free_port(), free_port(), free_port());
    let address = |port: u16| format!("127.0.0.1:{port}");
    let out = file(hub_at, "");
    let init = ["nats", "init", "hub", "--out", &out, "--leaf", "harbour"];
    let (listen, leaf_listen) = (address(hub_port), address(leaf_port));
    let listens = ["--listen", &listen, "--leaf-listen", &leaf_listen];
    let allowed = cloud.allow();
    let allow = ["--allow-host", &allowed];
    let said = lattice.wattle(&[&init[..], &listens, &allow].concat()).await;
    said.ok().naming(&["nats init leaf", "leaf-harbour.login"]);

    let hub_url = format!("tls://localhost:{leaf_port}");
    let (hub_ca, login) = (file(hub_at, "ca.crt"), file(hub_at, "leaf-harbour.login"));
    let (site, site_listen) = (file(site_at, ""), address(site_port));
    let init = ["nats", "init", "leaf", "--out", &site, "--name", "harbour", "--hub-url", &hub_url];
    let joins = ["--hub-ca", &hub_ca, "--credentials", &login, "--listen", &site_listen];
    let allowed = pi.allow();
    let allow = ["--allow-host", &allowed];
    let said = lattice.wattle(&[&init[..], &joins, &allow].concat()).await;
    said.ok().naming(&["--js-domain hub"]);

    let mut hub = GivenNats::start(hub_at, "hub.conf", hub_port).await;
    let _site = GivenNats::start(site_at, "leaf.conf", site_port).await;
    let hub_nats = format!("tls://localhost:{hub_port}");
    let site_nats = format!("tls://localhost:{site_port}");
    let (site_ca, hub_user) = (file(site_at, "ca.crt"), file(hub_at, "user.nkey"));
    let site_user = file(site_at, "user.nkey");
    let hub_line = ["--nats-url", &hub_nats, "--tls-ca", &hub_ca, "--nkey"];
    let site_line =
        ["--nats-url", &site_nats, "--tls-ca", &site_ca, "--js-domain", "hub", "--nkey"];
    let at_hub = [&hub_line[..], &[&hub_user]].concat();
    let at_site = [&site_line[..], &[&site_user]].concat();
    let (cloud_seed, pi_seed) = (file(hub_at, "host-cloud.nkey"), file(site_at, "host-pi.nkey"));
    let _cloud = cloud.spawn(&lattice, &[&hub_line[..], &[&cloud_seed]].concat());
    let _pi = pi.spawn(&lattice, &[&site_line[..], &[&pi_seed]].concat());
    hosts_are(&lattice, &at_hub, &["cloud", "pi"]).await;

    // From the hub's side, with the hub's records and artifacts, on the host of the site.
    let on_pi = [&["--host", "pi"], &at_hub[..]].concat();
    lattice.actor_with(Guest::Hello, "hello", &on_pi).await;
    let (here, beyond) = (address(free_port()), address(free_port()));
    for (host, id, served) in [("pi", "door", &here), ("cloud", "gate", &beyond)] {
        let on = [&["--host", host], &at_hub[..]].concat();
        let start = ["start", "provider", "http-server", "--id", id];
        lattice.wattle(&[&start[..], &on].concat()).await.ok();
        let source = format!("address={served}");
        lattice.link(id, "hello", HTTP, &[&["--source", &source], &on[..]].concat()).await;
    }
    let status = async |at: &str| http(at, "GET", "/", &[], b"").await.expect("an answer").status;
    assert_eq!((status(&here).await, status(&beyond).await), (200, 200));

    hub.kill();
    hosts_are(&lattice, &at_site, &["pi"]).await;
    for _ in 0..20 {
        assert_eq!(status(&here).await, 200, "without the hub");
    }
    assert!((500..=504).contains(&status(&beyond).await), "typed");
    hub.restart().await;
    hosts_are(&lattice, &at_hub, &["cloud", "pi"]).await;
    hosts_are(&lattice, &at_site, &["cloud", "pi"]).await;
    eventually("calls to the site are answered", SOON, async || {
        (status(&beyond).await == 200).then_some(())
    })
    .await;
    // From the site's side, through the leaf node.
    let again = [&["config", "put", "greeting", "word=hej", "--host", "pi"], &at_site[..]].concat();
    lattice.wattle(&again).await.ok();
    eventually("the record has reached the cloud", SOON, async || {
        let get = ["config", "get", "greeting", "--host", "cloud"];
        lattice.wattle(&[&get[..], &at_hub[..]].concat()).await.is_ok().then_some(())
    })
    .await;
    for folder in &folders {
        assert_eq!(denied(folder), Vec::<String>::new());
    }
}
