//! Three hosts and their NATS on machines of their own, with cables that are cut, flap, and lose and delay packets: every call is
//! answered or fails typed in time, none runs twice, what is on one host goes on, and all heals.

mod clients;

use std::time::{Duration, Instant};

use wattle_testing::{
    Cable, Door, Guest, HTTP, KEY_VALUE, Lattice, Machine, Nats, Neighbour, Network, Site, Turn,
    free_port,
};

use clients::{Calls, Clients};

/// The deadline of each call, and how much later its answer may be seen.
const DEADLINE: Duration = Duration::from_secs(3);
const MARGIN: Duration = Duration::from_millis(700);
/// Calls pass again so soon after the network is whole.
const HEALED: Duration = Duration::from_secs(5);
const PARTITION: Duration = Duration::from_secs(30);

/// The counter runs on the second and the third host, its store on the third. It is served on the first host and on the second,
/// so that there is somebody on either side who asks; and the first host has an actor that needs nobody.
struct Scene {
    from_first: Site,
    from_second: Site,
    alone: Site,
    machines: [Machine; 3],
    _lattice: Lattice,
    _hosts: [Neighbour; 2],
    _doors: [Door; 3],
    _nats: Nats,
    _hub: Machine,
    _network: Network,
}

impl Scene {
    async fn new() -> Self {
        let turn = Turn::alone().await;
        let mut network = Network::new();
        let hub = network.machine().await;
        let machines = [network.machine().await, network.machine().await, network.machine().await];
        let nats = Nats::start_on(&hub).await;
        let lattice = Lattice::prepare_on(&machines[0], turn);
        lattice.up(&["--nats-url", &nats.url()]).await;
        let second = lattice.neighbour_on("second", &machines[1]).await;
        let third = lattice.neighbour_on("third", &machines[2]).await;
        for host in ["second", "third"] {
            lattice.actor_on(host, Guest::Counter, "counter", &["--deadline", "3s"]).await;
        }
        lattice.provider_on("third", "keyvalue-embedded").await;
        lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
        lattice.actor(Guest::Hello, "hello").await;
        let first = lattice.home();
        for (host, id) in [(first.as_str(), "door"), ("second", "gate")] {
            let start = ["start", "provider", "http-server", "--id", id, "--host", host];
            lattice.wattle(&start).await.ok();
        }
        let (from_first, first_door) =
            serve(&lattice, "door", "counter", &first, &machines[0]).await;
        let (from_second, second_door) =
            serve(&lattice, "gate", "counter", "second", &machines[1]).await;
        let (alone, third_door) = serve(&lattice, "door", "hello", &first, &machines[0]).await;
        for site in [&from_first, &from_second, &alone] {
            assert_eq!(site.get("/first").await.status, 200);
        }
        Self {
            from_first,
            from_second,
            alone,
            machines,
            _lattice: lattice,
            _hosts: [second, third],
            _doors: [first_door, second_door, third_door],
            _nats: nats,
            _hub: hub,
            _network: network,
        }
    }

    /// Calls while `fault` happens, and for a while behind it; and when all was whole again.
    async fn through(&self, fault: impl Future<Output = ()>) -> (Calls, Instant) {
        let clients = Clients::start([&self.from_first, &self.from_second, &self.alone]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        fault.await;
        self.machines.iter().for_each(|machine| machine.set(Cable::Whole));
        let healed = Instant::now();
        tokio::time::sleep(HEALED + Duration::from_secs(2)).await;
        (clients.stop().await, healed)
    }

    /// What holds whatever happened: see [`Calls::assert_kept`]; and what needs no network does not notice.
    async fn assert_kept(&self, calls: &Calls, healed: Instant) {
        let counters = [&self.from_first, &self.from_second];
        calls.assert_kept(&counters).await;
        calls.assert_healed(&counters, healed);
        let alone = calls.between(&self.alone, ..);
        assert!(alone.good == alone.all && alone.all > 100, "on one host: {alone}");
    }
}

/// An http-server that serves an actor on its machine, and the way there.
async fn serve(
    lattice: &Lattice,
    server: &str,
    actor: &str,
    host: &str,
    machine: &Machine,
) -> (Site, Door) {
    let port = free_port();
    let at = format!("address=127.0.0.1:{port}");
    let settings = ["--source", &at, "--source", "timeout_ms=3000", "--host", host];
    lattice.link(server, actor, HTTP, &settings).await;
    let door = machine.door(port);
    (Site { address: door.address().to_owned() }, door)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_of_a_partition_goes_on_with_what_it_has() {
    let scene = Scene::new().await;
    // Cut off: who asks; who runs the counter and asks; who has the store. Then who goes on.
    let [first, second] = [&scene.from_first, &scene.from_second];
    let sides: [(usize, &[&Site]); 3] = [(0, &[second]), (1, &[first]), (2, &[])];
    for (cut_off, go_on) in sides {
        let mut cut = Instant::now();
        let (calls, healed) = scene
            .through(async {
                cut = Instant::now();
                scene.machines[cut_off].set(Cable::Cut);
                tokio::time::sleep(PARTITION).await;
            })
            .await;
        scene.assert_kept(&calls, healed).await;
        for site in [first, second] {
            // Once it is known who is away; a call of the last moments may wait until all is whole again.
            let meanwhile = calls.between(site, cut + DEADLINE..healed - DEADLINE);
            println!("host {cut_off} is cut off, {} meanwhile: {meanwhile}", site.address);
            if go_on.contains(&site) {
                assert!(meanwhile.good * 100 >= meanwhile.all * 95, "{meanwhile}");
            } else {
                assert_eq!(meanwhile.good, 0, "there was no way");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_gone_fails_calls_typed_and_heals() {
    let scene = Scene::new().await;
    let (calls, healed) = scene
        .through(async {
            scene.machines.iter().for_each(|machine| machine.set(Cable::Cut));
            tokio::time::sleep(Duration::from_secs(12)).await;
        })
        .await;
    scene.assert_kept(&calls, healed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cables_that_flap_lose_no_call_twice() {
    let scene = Scene::new().await;
    let (calls, healed) = scene
        .through(async {
            for turn in 0..20 {
                for (cable, time) in [(Cable::Cut, 350 * (turn % 4)), (Cable::Whole, 300)] {
                    scene.machines[usize::try_from(turn % 3).expect("small")].set(cable);
                    tokio::time::sleep(Duration::from_millis(50 + time)).await;
                }
            }
        })
        .await;
    scene.assert_kept(&calls, healed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cables_that_lose_and_delay_packets_lose_no_call_twice() {
    let scene = Scene::new().await;
    let (calls, healed) = scene
        .through(async {
            let poor = Cable::Poor { loss: 0.03, delay: Duration::from_millis(20) };
            scene.machines.iter().for_each(|machine| machine.set(poor));
            tokio::time::sleep(Duration::from_secs(15)).await;
        })
        .await;
    scene.assert_kept(&calls, healed).await;
    let meanwhile = calls.between(&scene.from_first, ..healed);
    println!("behind poor cables: {meanwhile}");
    assert!(meanwhile.good * 2 > meanwhile.all, "{meanwhile}");
}
