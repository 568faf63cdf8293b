//! The provider's process against a real Redis: the contract, and what happens when something dies, hangs or is slow.

#[path = "redis/endurance.rs"]
mod endurance;
#[path = "redis/faults.rs"]
mod faults;
#[path = "../../messaging-nats/tests/nats/host.rs"]
mod host;
#[path = "../../messaging-nats/tests/nats/isolation.rs"]
mod isolation;
#[path = "redis/kept.rs"]
mod kept;
#[path = "redis/links.rs"]
mod links;
#[path = "../../messaging-nats/tests/nats/rounds.rs"]
mod rounds;
#[path = "redis/scene.rs"]
mod scene;
#[path = "redis/server.rs"]
mod server;

use scene::Scene;
use wattle_messaging::conformance;

#[tokio::test]
async fn messaging_redis_keeps_wasmcloud_messaging() {
    conformance::run(&Scene::start().await).await;
}
