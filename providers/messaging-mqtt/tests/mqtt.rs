//! The provider's process against a real MQTT broker: the contract, and what happens when something dies, hangs or is slow.

#[path = "mqtt/faults.rs"]
mod faults;
#[path = "../../messaging-nats/tests/nats/host.rs"]
mod host;
#[path = "../../messaging-nats/tests/nats/isolation.rs"]
mod isolation;
#[path = "mqtt/kept.rs"]
mod kept;
#[path = "mqtt/links.rs"]
mod links;
#[path = "../../messaging-nats/tests/nats/rounds.rs"]
mod rounds;
#[path = "mqtt/scene.rs"]
mod scene;
#[path = "mqtt/server.rs"]
mod server;
#[path = "mqtt/sessions.rs"]
mod sessions;
#[path = "mqtt/stranger.rs"]
mod stranger;

use scene::Scene;
use wattle_messaging::conformance;

#[tokio::test]
async fn messaging_mqtt_keeps_wasmcloud_messaging() {
    conformance::run(&Scene::start().await).await;
}
