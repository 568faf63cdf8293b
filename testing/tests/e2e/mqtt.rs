//! The orders of the example over MQTT: none that was taken is lost, one that cannot be handled ends with the dead letters, and one of
//! megabytes gets to the actor.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rumqttc::v5::{
    AsyncClient, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::Publish},
};
use wattle_testing::{Guest, Lattice, Mosquitto, Site, eventually};

const CONSUMER: &str = "wasmcloud:messaging/consumer";
const HANDLER: &str = "wasmcloud:messaging/handler";
const PROVIDER: &str = "messaging-mqtt";
/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Near the most that a message may have, and far more than a guest's parameters may have where no code of the host's own takes them.
const LARGE: usize = 4_000_000;

/// The example's actor, linked to a broker of its own, and somebody else who hears what is said of orders.
struct Scene {
    lattice: Lattice,
    orders: Site,
    client: AsyncClient,
    heard: Arc<Mutex<Vec<Publish>>>,
    _broker: Mosquitto,
}

impl Scene {
    async fn start() -> Self {
        let broker = Mosquitto::start().await;
        let lattice = Lattice::start().await;
        lattice.provider(PROVIDER).await;
        let orders = lattice.serve(Guest::Orders, "orders").await;
        let url = format!("url={}", broker.url());
        let sending = ["--target", &url, "--constraint", "subjects=orders.new"];
        let accepted = ["--constraint", "subjects=orders.accepted"];
        lattice.link("orders", PROVIDER, CONSUMER, &[&sending[..], &accepted].concat()).await;
        let handing = [
            "--source",
            &url,
            "--source",
            "subscriptions=orders.new",
            "--source",
            "backoff_ms=50,100",
            "--source",
            "max_deliver=3",
            "--source",
            "dead_letter_topic=orders.dead",
        ];
        lattice.link(PROVIDER, "orders", HANDLER, &handing).await;
        let (client, heard) = listen(&broker).await;
        Self { lattice, orders, client, heard, _broker: broker }
    }

    /// What was heard of a topic.
    fn heard(&self, topic: &str) -> Vec<Publish> {
        let heard = self.heard.lock().expect("no panic");
        heard.iter().filter(|message| message.topic == topic.as_bytes()).cloned().collect()
    }

    fn accepted(&self) -> BTreeSet<String> {
        let text = |message: Publish| String::from_utf8_lossy(&message.payload).into_owned();
        self.heard("orders.accepted").into_iter().map(text).collect()
    }
}

async fn listen(broker: &Mosquitto) -> (AsyncClient, Arc<Mutex<Vec<Publish>>>) {
    let mut options = MqttOptions::new("listener", "127.0.0.1", broker.port());
    options.set_max_packet_size(Some(8 << 20));
    let (client, mut events) = AsyncClient::new(options, 100);
    for topic in ["orders.accepted", "orders.dead"] {
        client.subscribe(topic, QoS::AtLeastOnce).await.expect("it is asked");
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (hears, listening) = (Arc::clone(&heard), Arc::new(Mutex::new(0)));
    let listens = Arc::clone(&listening);
    tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            match event {
                Event::Incoming(Incoming::SubAck(_)) => *listens.lock().expect("no panic") += 1,
                Event::Incoming(Incoming::Publish(message)) => {
                    hears.lock().expect("no panic").push(message);
                }
                _ => {}
            }
        }
    });
    eventually("somebody listens", PATIENCE, async || {
        (*listening.lock().expect("no panic") == 2).then_some(())
    })
    .await;
    (client, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_is_accepted_and_what_is_none_is_a_dead_letter_however_large() {
    let scene = Scene::start().await;
    for order in ["tea 2", "coffee 1", "nonsense"] {
        assert_eq!(scene.orders.post("/", order.as_bytes()).await.status, 202);
    }
    let large = scene.client.publish("orders.new", QoS::AtLeastOnce, false, vec![b'x'; LARGE]);
    large.await.expect("it is sent");
    eventually("all is handled", PATIENCE, async || {
        let both = BTreeSet::from(["1 of coffee".to_owned(), "2 of tea".to_owned()]);
        (scene.accepted() == both && scene.heard("orders.dead").len() == 2).then_some(())
    })
    .await;
    let mut lens = Vec::new();
    for dead in scene.heard("orders.dead") {
        lens.push(dead.payload.len());
        let said = dead.properties.expect("why").user_properties;
        let reason = said.iter().find(|(name, _)| name == "wattle-dead-reason");
        let (_, reason) = reason.expect("a reason");
        assert!(reason.starts_with("the actor said: not an order"), "it got there: {reason}");
    }
    lens.sort_unstable();
    assert_eq!(lens, ["nonsense".len(), LARGE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_that_was_taken_is_lost_while_the_provider_dies() {
    let scene = Scene::start().await;
    let mut taken = BTreeSet::new();
    for number in 0..200 {
        let order = format!("thing-{number} 1");
        if scene.orders.post("/", order.as_bytes()).await.status == 202 {
            taken.insert(format!("1 of thing-{number}"));
        }
        if number % 80 == 40 {
            scene.lattice.provider_process(PROVIDER).await.kill();
        }
    }
    println!("{} of 200 orders were taken", taken.len());
    assert!(taken.len() > 50, "some were");
    eventually("every order that was taken is accepted", PATIENCE, async || {
        taken.is_subset(&scene.accepted()).then_some(())
    })
    .await;
}
