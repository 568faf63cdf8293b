//! The provider's process against a real nats-server: the contract, and what happens when something dies, hangs or is slow.

#[path = "nats/endurance.rs"]
mod endurance;
#[path = "nats/faults.rs"]
mod faults;
#[path = "nats/host.rs"]
mod host;
#[path = "nats/isolation.rs"]
mod isolation;
#[path = "nats/kept.rs"]
mod kept;
#[path = "nats/links.rs"]
mod links;
#[path = "nats/plain.rs"]
mod plain;
#[path = "nats/rounds.rs"]
mod rounds;
#[path = "nats/scene.rs"]
mod scene;
#[path = "nats/server.rs"]
mod server;

use scene::Scene;
use wattle_messaging::conformance;

#[tokio::test]
async fn messaging_nats_keeps_wasmcloud_messaging() {
    conformance::run(&Scene::start().await).await;
}
