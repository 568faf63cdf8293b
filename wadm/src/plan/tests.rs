//! What a planner has to hold to, whatever is there.

mod canary;

use std::collections::BTreeMap;

use proptest::prelude::*;
use wattle_core::Digest;

use super::*;
use crate::manifest::{Scaler, Spread};

const ROUNDS_MAX: usize = 60;

fn key(index: u8) -> HostKey {
    let letter = char::from(b'A' + index);
    format!("N{}", letter.to_string().repeat(55)).parse().expect("a host's key")
}

fn digest(of: u8) -> Digest {
    format!("sha256:{}", format!("{of:02x}").repeat(32)).parse().expect("a digest")
}

fn version(of: u8) -> Artifact {
    Artifact::Digest(digest(of))
}

fn id(text: &str) -> EntityId {
    text.parse().expect("an id")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn host(labels: &[(&str, &str)]) -> Host {
    Host {
        name: name("host"),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        state: HostState::Ready,
        seniority: 0,
        room: 1_000,
        cached: BTreeSet::new(),
        running: BTreeMap::new(),
        refused: BTreeMap::new(),
    }
}

/// Hosts of the zones a, b, c …
fn zones(count: u8) -> Observed {
    let one = |index| (key(index), host(&[("zone", &char::from(b'a' + index).to_string())]));
    Observed { hosts: (0..count).map(one).collect(), links: BTreeMap::new() }
}

fn share(zone: &str, weight: u32) -> Spread {
    let requirements = BTreeMap::from([("zone".to_owned(), zone.to_owned())]);
    Spread { name: zone.to_owned(), requirements, weight }
}

fn actor(scaler: Scaler) -> Component {
    Component { kind: Kind::Actor, artifact: version(1), scaler }
}

fn everywhere(instances: u16) -> Scaler {
    Scaler::Spread { instances, spread: Vec::new() }
}

fn link(source: &str, target: &str, is_traffic: bool) -> (LinkKey, Link) {
    let key = LinkKey {
        source: source.to_owned(),
        target: target.to_owned(),
        package: "a:b".to_owned(),
        name: name("default"),
    };
    let (source, target) = (id(source), id(target));
    (key, Link { source, target, is_traffic, content: digest(1) })
}

fn application(components: &[(&str, Component)]) -> Application {
    let components = components.iter().map(|(of, component)| (id(of), component.clone()));
    Application {
        phase: Phase::Deployed,
        components: components.collect(),
        links: BTreeMap::new(),
        uses: BTreeSet::new(),
        canary: None,
    }
}

fn desired(applications: &[(&str, Application)]) -> Desired {
    let applications = applications.iter().map(|(of, one)| (name(of), one.clone()));
    Desired { applications: applications.collect() }
}

/// An application `shop` of one actor `shop/cart`.
fn shop(scaler: Scaler) -> Desired {
    desired(&[("shop", application(&[("shop/cart", actor(scaler))]))])
}

/// Lets a command come true.
fn obey(observed: &mut Observed, desired: &Desired, command: &Command) {
    match command {
        Command::Run { host, id, artifact, instances } => {
            let mut components = desired.applications.values().flat_map(|app| &app.components);
            let kind = components.find(|(of, _)| *of == id).expect("declared").1.kind;
            let running = Running {
                kind,
                artifact: artifact.clone(),
                instances: *instances,
                ready: *instances,
            };
            observed.hosts.get_mut(host).expect("a host").running.insert(id.clone(), running);
        }
        Command::Stop { host, id } => {
            observed.hosts.get_mut(host).expect("a host").running.remove(id);
        }
        Command::PutLink { application, key } => {
            let link = &desired.applications[application].links[key];
            observed.links.insert(key.clone(), link.put_by(application));
        }
        Command::DeleteLink { key, .. } => drop(observed.links.remove(key)),
    }
}

/// Rounds until nothing is left to do; the commands of each. What runs comes to answer from one to the next.
fn settle(desired: &Desired, observed: &mut Observed) -> Vec<Vec<Command>> {
    let mut rounds = Vec::new();
    loop {
        let running = observed.hosts.values_mut().flat_map(|host| host.running.values_mut());
        running.for_each(|running| running.ready = running.instances);
        let commands = plan(desired, observed).commands;
        if commands.is_empty() {
            return rounds;
        }
        for command in &commands {
            obey(observed, desired, command);
        }
        rounds.push(commands);
        assert!(rounds.len() < ROUNDS_MAX, "no end: {:?}", rounds.last());
    }
}

fn counts(observed: &Observed, of: &str) -> Vec<u32> {
    let of = id(of);
    let count = |host: &Host| host.running.get(&of).map_or(0, |running| running.instances);
    observed.hosts.values().map(count).collect()
}

#[test]
fn a_spread_lands_as_declared_and_comes_back_after_a_loss_without_moving_others() {
    let spread = vec![share("a", 50), share("b", 30), share("c", 20)];
    let desired = shop(Scaler::Spread { instances: 9, spread });
    let mut observed = zones(3);
    settle(&desired, &mut observed);
    assert_eq!(counts(&observed, "shop/cart"), [4, 3, 2]);

    observed.hosts.get_mut(&key(2)).expect("the host").state = HostState::Lost;
    settle(&desired, &mut observed);
    let status = &plan(&desired, &observed).status[&id("shop/cart")];
    assert_eq!((status.ready, counts(&observed, "shop/cart")[..2].iter().sum::<u32>()), (9, 9));
    let lost = &status.placement.shares[2];
    assert_eq!((lost.wanted, lost.placed, lost.elsewhere), (2, 0, 2));
    assert_eq!(lost.why[&key(0)], "label zone=a, not c");
    assert_eq!(lost.why[&key(2)], "lost");

    // It comes back with what it ran.
    observed.hosts.get_mut(&key(2)).expect("the host").state = HostState::Ready;
    settle(&desired, &mut observed);
    assert_eq!(counts(&observed, "shop/cart"), [4, 3, 2]);
}

#[test]
fn what_has_no_place_says_so_for_each_host_and_is_no_loop() {
    let gpu = BTreeMap::from([("gpu".to_owned(), "true".to_owned())]);
    let spread = vec![Spread { name: "gpu".to_owned(), requirements: gpu, weight: 1 }];
    let desired = shop(Scaler::Spread { instances: 2, spread });
    let mut observed = zones(2);
    observed.hosts.get_mut(&key(1)).expect("the host").state = HostState::Draining;
    let Plan { commands, status } = plan(&desired, &observed);
    assert_eq!(commands, []);
    let share = &status[&id("shop/cart")].placement.shares[0];
    assert_eq!((share.wanted, share.placed, share.elsewhere), (2, 0, 0));
    assert!(share.why.values().all(|why| why == "label gpu=true missing"), "{share:?}");

    let desired = shop(everywhere(5));
    observed.hosts.get_mut(&key(0)).expect("the host").room = 3;
    settle(&desired, &mut observed);
    let share = plan(&desired, &observed).status[&id("shop/cart")].placement.shares[0].clone();
    assert_eq!((share.placed, share.why[&key(0)].as_str()), (3, "no room for as many instances"));
    assert_eq!(share.why[&key(1)], "draining");
}

#[test]
fn a_daemon_is_on_each_matching_host_once() {
    let desired = shop(Scaler::Daemon { instances: 2, spread: vec![share("a", 1), share("c", 1)] });
    let mut observed = zones(4);
    settle(&desired, &mut observed);
    assert_eq!(counts(&observed, "shop/cart"), [2, 0, 2, 0]);
    observed.hosts.insert(key(5), host(&[("zone", "a")]));
    settle(&desired, &mut observed);
    assert_eq!(counts(&observed, "shop/cart"), [2, 0, 2, 0, 2]);
}

#[test]
fn a_daemon_looks_at_each_host_once_and_at_none_that_is_away() {
    let spread = vec![share("a", 1), share("a", 1)];
    let desired = shop(Scaler::Daemon { instances: 2, spread });
    let mut observed = zones(2);
    let host = observed.hosts.get_mut(&key(0)).expect("the host");
    host.refused.insert(id("shop/cart"), Refused { artifact: version(1), reason: "no".to_owned() });
    let wanted = |observed: &Observed| {
        let status = &plan(&desired, observed).status[&id("shop/cart")];
        status.placement.shares.iter().map(|share| share.wanted).sum::<u32>()
    };
    assert_eq!(wanted(&observed), 2);
    for away in [HostState::Draining, HostState::Lost] {
        observed.hosts.get_mut(&key(0)).expect("the host").state = away;
        assert_eq!(wanted(&observed), 0, "{away:?}");
    }
}

#[test]
fn a_provider_moves_by_starting_before_it_stops() {
    let provider = Component { kind: Kind::Provider, artifact: version(1), scaler: everywhere(1) };
    let desired = desired(&[("shop", application(&[("shop/web", provider)]))]);
    let mut observed = zones(3);
    settle(&desired, &mut observed);
    assert_eq!(counts(&observed, "shop/web"), [1, 0, 0]);
    observed.hosts.get_mut(&key(0)).expect("the host").state = HostState::Draining;
    let rounds = settle(&desired, &mut observed);
    assert!(matches!(rounds[0][..], [Command::Run { .. }]), "{rounds:?}");
    assert!(matches!(rounds[1][..], [Command::Stop { .. }]), "{rounds:?}");
    // And stays, now that it is there.
    observed.hosts.get_mut(&key(0)).expect("the host").state = HostState::Ready;
    assert_eq!(plan(&desired, &observed).commands, []);
}

#[test]
fn a_new_version_is_tried_on_one_host_before_the_next() {
    let mut desired = shop(everywhere(6));
    let mut observed = zones(3);
    settle(&desired, &mut observed);
    let cart = id("shop/cart");
    let shop = desired.applications.get_mut(&name("shop")).expect("the shop");
    shop.components.get_mut(&cart).expect("the cart").artifact = version(2);
    let rounds = settle(&desired, &mut observed.clone());
    assert!(rounds.iter().all(|round| round.len() == 1), "{rounds:?}");

    // One that no host can start: the old one goes on wherever it runs, and is tried nowhere else.
    for count in 1..=3 {
        let mut observed = observed.clone();
        observed.hosts.retain(|host, _| *host < key(count));
        settle(
            &{
                let mut old = desired.clone();
                let shop = old.applications.get_mut(&name("shop")).expect("the shop");
                shop.components.get_mut(&cart).expect("the cart").artifact = version(1);
                old
            },
            &mut observed,
        );
        for refusing in 0..count {
            let host = observed.hosts.get_mut(&key(refusing)).expect("the host");
            let refused = Refused { artifact: version(2), reason: "no".to_owned() };
            host.refused.insert(cart.clone(), refused);
            let plan = plan(&desired, &observed);
            assert_eq!(plan.commands, [], "{refusing} of {count}");
            assert!(plan.status[&cart].is_halted, "it is not there: {refusing} of {count}");
        }
    }

    // A bad one: it runs, and answers nothing.
    let first = plan(&desired, &observed).commands;
    obey(&mut observed, &desired, &first[0]);
    let running = observed.hosts.get_mut(&key(0)).expect("the host").running.get_mut(&cart);
    running.expect("it runs").ready = 0;
    assert_eq!(plan(&desired, &observed).commands, []);
    assert_eq!(plan(&desired, &observed).status[&cart].ready, 0);
}

/// A host that was away started what it ran when it came back, and the planner had it started elsewhere meanwhile.
#[test]
fn who_comes_back_takes_nothing_away_from_who_stood_in() {
    let desired = shop(everywhere(1));
    let cart = id("shop/cart");
    for newcomer in 0..2 {
        let mut observed = zones(2);
        let running = Running { kind: Kind::Actor, artifact: version(1), instances: 1, ready: 1 };
        for (index, host) in observed.hosts.values_mut().enumerate() {
            host.running.insert(cart.clone(), running.clone());
            host.seniority = u32::from(index == newcomer);
            // The one that stood in has more to do by now.
            if index != newcomer {
                host.running.insert(id("other"), running.clone());
            }
        }
        settle(&desired, &mut observed);
        let runs = observed.hosts.values().map(|host| host.running.contains_key(&cart));
        let expected = if newcomer == 0 { [false, true] } else { [true, false] };
        assert_eq!(runs.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn links_come_before_traffic_and_go_after_it() {
    let mut shop = application(&[
        ("shop/cart", actor(everywhere(1))),
        ("shop/kv", Component { kind: Kind::Provider, ..actor(everywhere(1)) }),
        ("shop/web", Component { kind: Kind::Provider, ..actor(everywhere(1)) }),
    ]);
    shop.links = [link("shop/web", "shop/cart", true), link("shop/cart", "shop/kv", false)].into();
    let mut observed = zones(2);
    let rounds = settle(&desired(&[("shop", shop.clone())]), &mut observed);
    let kinds = |rounds: &[Vec<Command>]| -> Vec<Vec<&str>> {
        let kind = |command: &Command| match command {
            Command::Run { .. } => "run",
            Command::Stop { .. } => "stop",
            Command::PutLink { key, .. } if key.source == "shop/web" => "put traffic",
            Command::PutLink { .. } => "put",
            Command::DeleteLink { key, .. } if key.source == "shop/web" => "delete traffic",
            Command::DeleteLink { .. } => "delete",
        };
        rounds.iter().map(|round| round.iter().map(kind).collect()).collect()
    };
    assert_eq!(kinds(&rounds), [vec!["run", "run", "run", "put"], vec!["put traffic"]]);

    shop.phase = Phase::Undeployed;
    let rounds = settle(&desired(&[("shop", shop)]), &mut observed);
    assert_eq!(
        kinds(&rounds),
        [vec!["delete traffic"], vec!["delete", "stop"], vec!["stop", "stop"]]
    );
}

#[test]
fn a_shared_provider_stays_until_its_last_user_goes() {
    let kv = Component { kind: Kind::Provider, ..actor(everywhere(1)) };
    let mut common = application(&[("common/kv", kv), ("common/own", actor(everywhere(1)))]);
    let mut shop = application(&[("shop/cart", actor(everywhere(1)))]);
    shop.uses = BTreeSet::from([id("common/kv")]);
    shop.links = [link("shop/cart", "common/kv", false)].into();
    let mut observed = zones(2);
    settle(&desired(&[("common", common.clone()), ("shop", shop.clone())]), &mut observed);

    common.phase = Phase::Undeployed;
    let both = desired(&[("common", common.clone()), ("shop", shop.clone())]);
    let rounds = settle(&both, &mut observed);
    let only: Vec<Command> = rounds.concat();
    assert!(
        matches!(&only[..], [Command::Stop { id, .. }] if id.as_str() == "common/own"),
        "{only:?}"
    );

    shop.phase = Phase::Undeployed;
    settle(&desired(&[("common", common), ("shop", shop)]), &mut observed);
    assert!(observed.links.is_empty());
    assert!(observed.hosts.values().all(|host| host.running.is_empty()), "{observed:?}");
}

#[test]
fn an_application_that_only_calls_in_keeps_nothing_of_one_that_goes() {
    let web = Component { kind: Kind::Provider, ..actor(everywhere(1)) };
    let first = application(&[("first/web", web)]);
    let mut second = application(&[("second/cart", actor(everywhere(1)))]);
    second.links = [link("first/web", "second/cart", true)].into();
    second.uses = [id("first/web")].into();
    let mut observed = zones(2);
    settle(&desired(&[("first", first.clone()), ("second", second.clone())]), &mut observed);
    assert_eq!((total(&observed, &id("second/cart")), observed.links.len()), (1, 1));
    second.phase = Phase::Undeployed;
    settle(&desired(&[("first", first), ("second", second)]), &mut observed);
    assert_eq!((total(&observed, &id("second/cart")), observed.links.len()), (0, 0));
    assert_eq!(total(&observed, &id("first/web")), 1);
}

#[test]
fn a_version_with_fewer_instances_is_never_more_than_it_declares_on_any_host() {
    let mut observed = zones(2);
    settle(&shop(everywhere(20)), &mut observed);
    let mut fewer = actor(everywhere(3));
    fewer.artifact = version(2);
    let fewer = desired(&[("shop", application(&[("shop/cart", fewer)]))]);
    for command in settle(&fewer, &mut observed).concat() {
        if let Command::Run { artifact, instances, .. } = &command {
            assert!(*artifact != version(2) || *instances <= 3, "{command}");
        }
    }
    assert_eq!(total(&observed, &id("shop/cart")), 3);
}

#[test]
fn what_no_application_declares_is_left_alone() {
    let mut observed = zones(1);
    let running = Running { kind: Kind::Actor, artifact: version(9), instances: 3, ready: 3 };
    let there = observed.hosts.get_mut(&key(0)).expect("the host");
    there.running.insert(id("by-hand"), running.clone());
    there.running.insert(id("other/actor"), running.clone());
    there.running.insert(id("shop/former"), running);
    let commands = settle(&shop(everywhere(0)), &mut observed).concat();
    assert_eq!(commands, [Command::Stop { host: key(0), id: id("shop/former") }]);
}

/// 100 applications of 10 components on 20 hosts.
fn large() -> (Desired, Observed) {
    let mut desired = Desired::default();
    for index in 0..100 {
        let of = |part: usize| format!("app-{index}/part-{part}");
        let parts: Vec<(String, Component)> =
            (0..10).map(|part| (of(part), actor(everywhere(10)))).collect();
        let parts: Vec<(&str, Component)> =
            parts.iter().map(|(id, component)| (id.as_str(), component.clone())).collect();
        let mut app = application(&parts);
        app.links = (1..10).map(|part| link(&of(part - 1), &of(part), false)).collect();
        desired.applications.insert(name(&format!("app-{index}")), app);
    }
    (desired, zones(20))
}

#[test]
fn a_hundred_applications_are_planned_in_no_time() {
    let (desired, mut observed) = large();
    settle(&desired, &mut observed);
    // The best of some, as other tests run beside this one.
    let timed = |observed: &Observed| {
        let one = |_| {
            let start = std::time::Instant::now();
            let plan = plan(&desired, observed);
            (start.elapsed(), plan.commands.len())
        };
        (0..5).map(one).min().expect("five")
    };
    let (at_rest, nothing) = timed(&observed);
    let lost = observed.hosts.get_mut(&key(7)).expect("the host");
    let ran = lost.running.len();
    lost.state = HostState::Lost;
    let (after_loss, some) = timed(&observed);
    assert_eq!(nothing, 0);
    assert!((ran..=10 * ran).contains(&some), "{some} commands for {ran} components");
    for time in [at_rest, after_loss] {
        assert!(time.as_millis() < 100, "{time:?}");
    }
    println!("at rest {at_rest:?}, after a loss {after_loss:?}");
}

fn any_host() -> impl Strategy<Value = Host> {
    let labels = (0..3u8, 0..2u8);
    (labels, 0..40u32, 0..6u8, 0..2u8).prop_map(|((zone, disk), room, state, is_refusing)| {
        let zone = char::from(b'a' + zone).to_string();
        let mut host = host(&[("zone", &zone), ("disk", if disk == 0 { "ssd" } else { "hdd" })]);
        host.room = room;
        host.state = match state {
            0 => HostState::Lost,
            1 => HostState::Draining,
            _ => HostState::Ready,
        };
        if is_refusing == 1 {
            let refused = Refused { artifact: version(1), reason: "no".to_owned() };
            host.refused.insert(id("one/b"), refused);
        }
        host
    })
}

fn any_scaler() -> impl Strategy<Value = Scaler> {
    let share = (0..5u8, 1..100u32).prop_map(|(which, weight)| match which {
        0..3 => share(&char::from(b'a' + which).to_string(), weight),
        3 => {
            let requirements = BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]);
            Spread { name: "ssd".to_owned(), requirements, weight }
        }
        _ => Spread { name: "all".to_owned(), requirements: BTreeMap::new(), weight },
    });
    (any::<bool>(), 0..12u16, prop::collection::vec(share, 0..4)).prop_map(
        |(is_daemon, instances, spread)| match is_daemon {
            true => Scaler::Daemon { instances: instances % 3, spread },
            false => Scaler::Spread { instances, spread },
        },
    )
}

fn any_component() -> impl Strategy<Value = Component> {
    (any_scaler(), any::<bool>(), 1..3u8).prop_map(|(scaler, is_provider, artifact)| Component {
        kind: if is_provider { Kind::Provider } else { Kind::Actor },
        artifact: version(artifact),
        scaler,
    })
}

/// Two applications of two components each, some hosts, and whatever runs there.
fn any_world() -> impl Strategy<Value = (Desired, Observed)> {
    let ids = ["one/a", "one/b", "two/c", "two/d"];
    let running = (0..4usize, 0..8u8, 1..3u8, 1..20u32, any::<bool>());
    let components = prop::collection::vec(any_component(), 4);
    let hosts = prop::collection::vec(any_host(), 0..8);
    (components, hosts, prop::collection::vec(running, 0..12), any::<bool>()).prop_map(
        move |(components, hosts, running, is_going)| {
            let of = |range: std::ops::Range<usize>| {
                let pairs: Vec<(&str, Component)> =
                    range.map(|index| (ids[index], components[index].clone())).collect();
                application(&pairs)
            };
            let (one, mut two) = (of(0..2), of(2..4));
            if is_going {
                two.phase = Phase::Undeployed;
            }
            let mut observed = Observed::default();
            for (index, host) in hosts.into_iter().enumerate() {
                observed.hosts.insert(key(index as u8), host);
            }
            for (of, at, artifact, instances, is_ready) in running {
                let Some(host) = observed.hosts.get_mut(&key(at)) else { continue };
                let mut declared = [&one, &two].into_iter().flat_map(|app| &app.components);
                let kind = declared.find(|(it, _)| **it == id(ids[of])).expect("it is").1.kind;
                let instances = if kind == Kind::Provider { 1 } else { instances };
                let ready = if is_ready { instances } else { 0 };
                let running = Running { kind, artifact: version(artifact), instances, ready };
                host.running.insert(id(ids[of]), running);
            }
            (desired(&[("one", one), ("two", two)]), observed)
        },
    )
}

/// Instances of a component on hosts that are heard of.
fn total(observed: &Observed, of: &EntityId) -> u32 {
    let heard = observed.hosts.values().filter(|host| host.state != HostState::Lost);
    heard.filter_map(|host| host.running.get(of)).map(|running| running.instances).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn everything_comes_to_rest_where_it_should((desired, mut observed) in any_world()) {
        let refused = observed.clone();
        settle(&desired, &mut observed);
        let Plan { status, .. } = plan(&desired, &observed);
        for (id, Status { placement, ready, .. }) in &status {
            if is_halted(&desired, &observed, id) {
                continue;
            }
            let wanted: u32 = placement.hosts.values().sum();
            prop_assert_eq!(*ready, wanted);
            prop_assert_eq!(total(&observed, id), wanted);
            for (host, count) in &placement.hosts {
                let there = &observed.hosts[host];
                prop_assert_eq!(there.state, HostState::Ready);
                prop_assert_eq!(there.running[id].instances, *count);
                let has_refused = refused.hosts[host].refused.get(id);
                prop_assert!(has_refused.is_none_or(|it| it.artifact != there.running[id].artifact));
            }
            for share in &placement.shares {
                prop_assert!(share.placed + share.elsewhere <= share.wanted);
                prop_assert!(share.placed == share.wanted || !share.why.is_empty() || observed.hosts.is_empty());
            }
        }
        for host in observed.hosts.values().filter(|host| host.state == HostState::Ready) {
            let actors = host.running.iter().filter(|(id, _)| {
                desired.applications.values().any(|app| {
                    app.components.get(*id).is_some_and(|one| one.kind == Kind::Actor)
                })
            });
            if host.running.keys().any(|id| is_halted(&desired, &observed, id)) {
                continue;
            }
            let sum: u32 = actors.map(|(_, running)| running.instances).sum();
            prop_assert!(sum <= host.room, "{sum} instances in room for {}", host.room);
        }
    }

    #[test]
    fn on_the_way_nothing_has_much_more_than_it_should(world in any_world()) {
        let (desired, mut observed) = world;
        for _ in 0..ROUNDS_MAX {
            let before = observed.clone();
            let Plan { commands, status } = plan(&desired, &observed);
            for command in &commands {
                obey(&mut observed, &desired, command);
            }
            for (id, Status { placement, .. }) in &status {
                let component = desired.applications.values().find_map(|app| app.components.get(id));
                if matches!(component.expect("declared").scaler, Scaler::Daemon { .. }) {
                    continue;
                }
                let wanted: u32 = placement.hosts.values().sum();
                let surge = wanted.div_ceil(4).max(1);
                let most = total(&before, id).max(wanted + surge);
                prop_assert!(total(&observed, id) <= most, "{id}: {commands:?}");
            }
        }
    }

    #[test]
    fn to_plan_is_to_answer_the_same_to_the_same((desired, observed) in any_world()) {
        prop_assert_eq!(plan(&desired, &observed), plan(&desired, &observed));
    }

    #[test]
    fn the_loss_of_a_host_moves_only_what_it_ran((desired, mut observed) in any_world(), lost in 0..8u8) {
        settle(&desired, &mut observed);
        let Some(host) = observed.hosts.get_mut(&key(lost)) else { return Ok(()) };
        if host.state != HostState::Ready {
            return Ok(());
        }
        let ran = host.running.clone();
        let halted: BTreeSet<EntityId> = plan(&desired, &observed).status.into_keys()
            .filter(|id| is_halted(&desired, &observed, id)).collect();
        observed.hosts.get_mut(&key(lost)).expect("it is there").state = HostState::Lost;
        // What only that host refused is tried again, and the room that the old version had meanwhile is free.
        if halted.iter().any(|id| !is_halted(&desired, &observed, id)) {
            return Ok(());
        }
        let before = observed.clone();
        settle(&desired, &mut observed);
        let status = plan(&desired, &observed).status;
        let gone = |id| ran.get(id).map_or(0, |running| running.instances);
        // Where hosts are of several shares, or of one that carries another, that is spread evenly anew; and what had no room before
        // comes where it leaves some.
        if status.keys().any(|id| gone(id) > 0 && is_overlapping(&desired, &observed, id)) {
            return Ok(());
        }
        for (id, Status { placement, .. }) in &status {
            let had = |host: &HostKey| before.hosts[host].running.get(id).map_or(0, |it| it.instances);
            let moved = placement.hosts.iter().map(|(host, has)| has.saturating_sub(had(host)));
            let gone = gone(id);
            if !halted.contains(id) {
                prop_assert!(moved.sum::<u32>() <= gone, "{id}: {gone} were lost: {placement:?}");
            }
        }
    }
}

/// Whether a new version goes no further: a host could not run it, and others have the old one.
fn is_halted(desired: &Desired, observed: &Observed, id: &EntityId) -> bool {
    let component = desired.applications.values().find_map(|app| app.components.get(id));
    let artifact = &component.expect("declared").artifact;
    let heard = || observed.hosts.values().filter(|host| host.state != HostState::Lost);
    heard().any(|host| host.refused.get(id).is_some_and(|refused| refused.artifact == *artifact))
        && heard().any(|host| host.running.get(id).is_some_and(|it| it.artifact != *artifact))
}

/// Whether a host could have instances of more than one share.
fn is_overlapping(desired: &Desired, observed: &Observed, id: &EntityId) -> bool {
    let component = desired.applications.values().find_map(|app| app.components.get(id));
    let (Scaler::Spread { spread, .. } | Scaler::Daemon { spread, .. }) =
        &component.expect("declared").scaler;
    let placement = &plan(desired, observed).status[id].placement;
    let fits = |host: &Host, share: &Spread| {
        share.requirements.iter().all(|(name, wanted)| host.labels.get(name) == Some(wanted))
    };
    let several = |host: &Host| spread.iter().filter(|share| fits(host, share)).count() > 1;
    observed.hosts.values().any(several) || placement.shares.iter().any(|share| share.elsewhere > 0)
}
