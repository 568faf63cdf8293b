//! Actors ask the web: what their link allows and nothing else, streaming both ways, through a real provider.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wattle_testing::{Guest, Lattice, Response, Site};

const OUTGOING: &str = "wasi:http/outgoing-handler";
const LOOPBACK: &str = "allowed-addresses=127.0.0.0/8";

/// The kit served at one address, which asks itself at another: `asker` may ask `asked`, and nothing else.
struct Scene {
    lattice: Lattice,
    asker: Site,
    asked: Site,
}

impl Scene {
    async fn start() -> Self {
        let lattice = Lattice::start().await;
        lattice.provider("http-client").await;
        let asked = lattice.serve(Guest::Kit, "asked").await;
        let asker = lattice.serve(Guest::Kit, "asker").await;
        let scene = Self { lattice, asker, asked };
        let hosts = format!("allowed-hosts=http://{}", scene.asked.address);
        scene.link(&["--constraint", &hosts]).await;
        scene
    }

    async fn link(&self, settings: &[&str]) {
        self.lattice.link("asker", "http-client", OUTGOING, settings).await;
    }

    async fn fetch(&self, url: &str) -> Response {
        self.asker.get(&format!("/fetch?url={url}")).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.asked.address)
    }
}

fn refused(response: &Response) -> String {
    assert_eq!(response.status, 502, "{}", response.text());
    response.text().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_asks_what_its_link_allows_and_nothing_else() {
    let scene = Scene::start().await;
    let answer = scene.fetch(&scene.url("/")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "kit\n"));
    assert_eq!(scene.fetch(&scene.url("/status%3Fcode=404")).await.status, 404);

    let other = format!("http://{}/", scene.asker.address);
    for url in [other.as_str(), "https://example.com/", "http://169.254.169.254/latest/meta-data"] {
        assert_eq!(refused(&scene.fetch(url).await), "HttpRequestDenied", "{url}");
    }
    let log = scene.lattice.log().await;
    assert!(log.contains("https://example.com") && log.contains("allowed-hosts"), "{log}");
    assert!(!log.contains("meta-data"), "a path may hold a secret");

    // Everything by name, but not what is of this machine.
    scene.link(&["--constraint", "allowed-hosts=*://*:*"]).await;
    let here = scene.url("/").replace("127.0.0.1", "localhost");
    for url in [scene.url("/"), here.clone(), "http://169.254.169.254/".to_owned()] {
        assert_eq!(refused(&scene.fetch(&url).await), "DestinationIpProhibited", "{url}");
    }
    scene.link(&["--constraint", "allowed-hosts=*://*:*", "--constraint", LOOPBACK]).await;
    assert_eq!(scene.fetch(&here).await.text(), "kit\n");

    scene.lattice.wattle(&["link", "del", "asker", "http-client", OUTGOING]).await.ok();
    assert_eq!(refused(&scene.fetch(&scene.url("/")).await), "HttpRequestDenied");
    let log = scene.lattice.log().await;
    assert!(log.contains("wattle link put asker http-client wasi:http/outgoing-handler"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_allows_nothing_does_not_hold() {
    let lattice = Lattice::start().await;
    lattice.provider("http-client").await;
    lattice.actor(Guest::Kit, "asker").await;
    let put = ["link", "put", "asker", "http-client", OUTGOING];
    let said = lattice.wattle(&put).await;
    said.naming(&["allowed-hosts", "https://api.example.com"]);
    let wrong = [&put[..], &["--constraint", "allowed-hosts=example.com"]].concat();
    lattice.wattle(&wrong).await.naming(&["example.com", "scheme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_length_stream_through_the_actor() {
    const LEN: usize = 64 << 20;
    let scene = Scene::start().await;
    let bytes: Vec<u8> = (0..LEN).map(|at| (at / 7) as u8).collect();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let sent = scene.asker.post(&format!("/fetch?url={}", scene.url("/sink")), &bytes).await;
    assert_eq!((sent.status, sent.text()), (200, hash));

    let source = scene.url(&format!("/source%3Fbytes={LEN}"));
    let got = scene.fetch(&source).await;
    assert_eq!(got.body, scene.asked.get(&format!("/source?bytes={LEN}")).await.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_an_error_in_time() {
    let scene = Scene::start().await;
    let begun = Instant::now();
    let url = format!("/fetch?timeout=300&url={}", scene.url("/sleep%3Fms=20000"));
    assert_eq!(refused(&scene.asker.get(&url).await), "HttpResponseTimeout");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    // The provider dies with a request under way: the actor hears of it at once, and asks again.
    let provider = scene.lattice.provider_process("http-client").await;
    scene.asked_is_asked(0).await;
    let asker = scene.asker.clone();
    let path = format!("/fetch?url={}", scene.url("/sleep%3Fms=20000"));
    let waiting = tokio::spawn(async move { asker.get(&path).await });
    scene.asked_is_asked(1).await;
    provider.kill();
    let cut = waiting.await.expect("no panic");
    assert_eq!(refused(&cut), "ConnectionTerminated");
    scene.lattice.provider_process("http-client").await;
    assert_eq!(scene.fetch(&scene.url("/")).await.text(), "kit\n");
}

impl Scene {
    /// Waits until the kit that is asked has so many calls under way.
    async fn asked_is_asked(&self, calls: u64) {
        wattle_testing::eventually("calls are under way", Duration::from_secs(30), async || {
            let status = self.lattice.actor_status("asked").await;
            (status["in-flight"].as_u64() == Some(calls)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_checks_a_pages_links() {
    let lattice = Lattice::start().await;
    lattice.provider("http-client").await;
    let checker = lattice.serve(Guest::LinkChecker, "checker").await;
    let pages = lattice.serve(Guest::Kit, "pages").await;
    let hosts = format!("allowed-hosts=GET,HEAD http://{}", pages.address);
    lattice.link("checker", "http-client", OUTGOING, &["--constraint", &hosts]).await;
    let html = format!(
        "<a href=\"/status?code=204\">a</a> <a href='nowhere'>b</a> <a href=\"https://example.com/\">c</a> \
         <a href=\"http://{}/#top\">d</a> <a href=\"mailto:a@example.com\">e</a>",
        pages.address
    );
    let html: String = html.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let page = format!("http://{}/say?text={html}", pages.address);
    let report = checker.get(&format!("/?page={page}")).await;
    let report = report.text();
    let site = format!("http://{}", pages.address);
    assert_eq!(
        report.lines().collect::<Vec<_>>(),
        [
            format!("fine 204 {site}/status?code=204"),
            format!("dead 404 {site}/nowhere"),
            "skip denied https://example.com/".to_owned(),
            format!("fine 200 {site}/"),
        ]
    );
}
