//! The lattice's buckets on three servers of a cluster, of which any one may die.

use std::{path::PathBuf, time::Duration};

use async_nats::jetstream::{self, stream};
use serde_json::json;
use wattle_testing::{GivenNats, Guest, Lattice, Turn, eventually, free_port};

use super::{Web, version_of};

/// How long a cluster may take to choose who leads, and hosts to find a server that is there.
const ELECTED: Duration = Duration::from_secs(30);
const SERVERS: usize = 3;
const BUCKETS: [&str; 3] =
    ["KV_wattle_default_records", "KV_wattle_default_versions", "OBJ_wattle_default_artifacts"];

/// Servers that keep each message on all three of them.
struct Cluster {
    servers: Vec<GivenNats>,
    urls: String,
}

impl Cluster {
    async fn start(folder: PathBuf) -> Self {
        let [ports, routes] =
            [[(); SERVERS].map(|()| free_port()), [(); SERVERS].map(|()| free_port())];
        let others = routes.map(|route| format!("\"nats://127.0.0.1:{route}\"")).join(", ");
        let mut servers = Vec::new();
        for (index, (port, route)) in ports.into_iter().zip(routes).enumerate() {
            let own = folder.join(format!("n{index}"));
            std::fs::create_dir(&own).expect("a folder");
            let config = format!(
                "server_name: n{index}\nlisten: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"js\" }}\n\
                 cluster {{ name: three, listen: \"127.0.0.1:{route}\", routes: [{others}] }}\n"
            );
            std::fs::write(own.join("nats.conf"), config).expect("a configuration");
            servers.push(GivenNats::start(&own, "nats.conf", port).await);
        }
        let urls = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(",");
        let cluster = Self { servers, urls };
        let context = cluster.jetstream().await;
        eventually("the servers have chosen a leader", ELECTED, async || {
            use jetstream::{ErrorCode, context::GetStreamErrorKind};
            let error = context.get_stream("nothing").await.err()?;
            match error.kind() {
                GetStreamErrorKind::JetStream(error) => {
                    (error.error_code() == ErrorCode::STREAM_NOT_FOUND).then_some(())
                }
                _ => None,
            }
        })
        .await;
        cluster
    }

    async fn jetstream(&self) -> jetstream::Context {
        let urls: Vec<&str> = self.urls.split(',').collect();
        jetstream::new(async_nats::connect(urls).await.expect("a server"))
    }

    /// Has what Wattle made kept on all servers, as an operator does with `nats stream edit --replicas 3`.
    async fn replicate(&self) {
        let context = self.jetstream().await;
        for name in BUCKETS {
            let stream = context.get_stream(name).await.expect("it is there");
            let config = stream.cached_info().config.clone();
            let replicated = stream::Config { num_replicas: SERVERS, ..config };
            context.update_stream(&replicated).await.expect("there are enough servers");
            eventually(&format!("{name} is replicated"), ELECTED, async || {
                let mut stream = context.get_stream(name).await.ok()?;
                let cluster = stream.info().await.ok()?.cluster.clone()?;
                let current = cluster.replicas.iter().filter(|replica| replica.current);
                (current.count() == SERVERS - 1).then_some(())
            })
            .await;
        }
    }

    /// Which of the servers leads for the records.
    async fn leader(&self) -> usize {
        let context = self.jetstream().await;
        let stream = context.get_stream(BUCKETS[0]).await.expect("it is there");
        let cluster = stream.cached_info().cluster.clone().expect("it is replicated");
        let leader = cluster.leader.expect("one leads");
        leader.trim_start_matches('n').parse().expect("a server's number")
    }

    /// Waits until one of those that are left leads for each bucket: the one that is gone may have led for several.
    async fn elect(&self) {
        let context = self.jetstream().await;
        for name in BUCKETS {
            eventually(&format!("{name} has a leader"), ELECTED, async || {
                // Only who leads answers.
                context.get_stream(name).await.ok().map(drop)
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_outlive_a_server_where_buckets_are_replicated() {
    let lattice = Lattice::prepare(Turn::alone().await);
    let mut cluster = Cluster::start(lattice.path().to_owned()).await;
    lattice.up(&["--nats-url", &cluster.urls]).await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    for (version, scaler) in [("v1", "instances: 1"), ("v2", "instances: 2")] {
        lattice.wattle(&["app", "deploy", &web.write_with(version, "", scaler)]).await.ok();
    }
    cluster.replicate().await;
    let leader = cluster.leader().await;
    cluster.servers[leader].kill();
    cluster.elect().await;
    let history = eventually("wadm acts again", ELECTED, async || {
        let said =
            lattice.wattle(&["app", "history", "shop", "-o", "json", "--timeout", "2s"]).await;
        said.is_ok().then(|| said.json())
    })
    .await;
    let versions = history["versions"].as_array().expect("versions").iter();
    assert_eq!(versions.map(|it| &it["version"]).collect::<Vec<_>>(), [&json!("v2"), &json!("v1")]);
    assert_eq!(web.site.get("/").await.status, 200);
    lattice.wattle(&["app", "rollback", "shop"]).await.ok();
    cluster.servers[leader].restart().await;
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!((version_of(&status), &status["state"]), ("v1", &json!("settled")));
    lattice.wattle(&["app", "delete", "shop"]).await.ok();
}
