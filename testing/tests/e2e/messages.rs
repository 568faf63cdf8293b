//! Orders over messages: none that was taken is lost, and one that cannot be handled ends with the dead letters.

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream::{self, consumer::pull, stream};
use futures::StreamExt as _;
use wattle_testing::{Guest, Lattice, Nats, Site, eventually};

const CONSUMER: &str = "wasmcloud:messaging/consumer";
const HANDLER: &str = "wasmcloud:messaging/handler";
const PROVIDER: &str = "messaging-nats";
/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The example's actor, linked to a broker of its own, whose stream keeps all that is said of orders.
struct Scene {
    lattice: Lattice,
    orders: Site,
    nats: Nats,
}

impl Scene {
    /// An order is a dead letter after so many attempts.
    async fn start(max_deliver: u32) -> Self {
        let nats = Nats::start().await;
        let lattice = Lattice::start().await;
        lattice.provider(PROVIDER).await;
        let orders = lattice.serve(Guest::Orders, "orders").await;
        let scene = Self { lattice, orders, nats };
        scene.stream().await;
        let url = format!("url={}", scene.nats.url());
        let sending = ["--plaintext-secrets", "--target", &url, "--target", "stream=ORDERS"];
        let allowed =
            ["--constraint", "subjects=orders.new", "--constraint", "subjects=orders.accepted"];
        scene.lattice.link("orders", PROVIDER, CONSUMER, &[&sending[..], &allowed].concat()).await;
        let max_deliver = format!("max_deliver={max_deliver}");
        let handing = [
            "--plaintext-secrets",
            "--source",
            &url,
            "--source",
            "stream=ORDERS",
            "--source",
            "subscriptions=orders.new",
            "--source",
            "backoff_ms=50,100",
            "--source",
            &max_deliver,
            "--source",
            "ack_wait_ms=2000",
            "--source",
            "dead_letter_subject=orders.dead",
        ];
        scene.lattice.link(PROVIDER, "orders", HANDLER, &handing).await;
        scene
    }

    async fn jetstream(&self) -> jetstream::Context {
        let login =
            async_nats::ConnectOptions::with_user_and_password("test".into(), "secret".into());
        let client = login.connect(self.nats.address()).await.expect("NATS is up");
        jetstream::new(client)
    }

    async fn stream(&self) -> stream::Stream {
        let config = stream::Config {
            name: "ORDERS".to_owned(),
            subjects: vec!["orders.>".to_owned()],
            ..stream::Config::default()
        };
        self.jetstream().await.get_or_create_stream(config).await.expect("JetStream is up")
    }

    /// Everything that the stream keeps of one subject.
    async fn kept(&self, subject: &str) -> Vec<String> {
        let config = pull::Config { filter_subject: subject.to_owned(), ..pull::Config::default() };
        let consumer = self.stream().await.create_consumer(config).await.expect("a consumer");
        let fetch = consumer.fetch().max_messages(10_000).messages().await.expect("a batch");
        let bodies = fetch.map(|message| {
            String::from_utf8_lossy(&message.expect("a message").payload).into_owned()
        });
        bodies.collect().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_is_accepted_and_one_that_is_none_is_a_dead_letter() {
    let scene = Scene::start(3).await;
    for order in ["tea 2", "coffee 1", "nonsense"] {
        assert_eq!(scene.orders.post("/", order.as_bytes()).await.status, 202);
    }
    eventually("all is handled", PATIENCE, async || {
        let accepted: BTreeSet<String> = scene.kept("orders.accepted").await.into_iter().collect();
        let both = ["1 of coffee".to_owned(), "2 of tea".to_owned()];
        (accepted == both.into() && scene.kept("orders.dead").await == ["nonsense"]).then_some(())
    })
    .await;
    let log = scene.lattice.log().await;
    assert!(log.contains("not an order"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_that_was_taken_is_lost_while_the_broker_and_the_provider_die() {
    let mut scene = Scene::start(100).await; // dying brokers and providers cost attempts
    let mut taken = BTreeSet::new();
    for round in 0..4 {
        for number in 0..50 {
            let order = format!("thing-{round}-{number} 1");
            if scene.orders.post("/", order.as_bytes()).await.status == 202 {
                taken.insert(format!("1 of thing-{round}-{number}"));
            }
            match (round, number) {
                (1, 25) => scene.nats.kill(),
                (2, 0) => scene.nats.restart().await,
                (2, 25) => scene.lattice.provider_process(PROVIDER).await.kill(),
                _ => {}
            }
        }
    }
    println!("{} of 200 orders were taken", taken.len());
    assert!(taken.len() > 50, "some were");
    eventually("every order that was taken is accepted", PATIENCE, async || {
        let accepted: BTreeSet<String> = scene.kept("orders.accepted").await.into_iter().collect();
        taken.is_subset(&accepted).then_some(())
    })
    .await;
}
