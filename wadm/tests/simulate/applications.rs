//! The applications of a world, and how people change them.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng as _, rngs::StdRng};
use wattle_core::{Digest, EntityId, link::LinkKey};
use wattle_wadm::{
    manifest::{Kind, Scaler, Spread},
    plan::{Application, Artifact, Canary, Component, Desired, Link, Phase},
};

/// What runs besides, started by hand: no application's business.
pub(crate) const BY_HAND: &str = "by-hand";

pub(crate) fn id(text: &str) -> EntityId {
    text.parse().expect("an id")
}

pub(crate) fn version(of: u8) -> Artifact {
    Artifact::Digest(digest(of))
}

fn digest(of: u8) -> Digest {
    format!("sha256:{}", format!("{of:02x}").repeat(32)).parse().expect("a digest")
}

/// Three applications: `common` shares its `kv` with the others, each of which has an actor, and `shop` a web server, too.
pub(crate) fn some(rng: &mut StdRng) -> Desired {
    let mut desired = Desired::default();
    let mut add = |name: &str, parts: Vec<(&str, Component)>, links: &[(&str, &str, bool)]| {
        let components = parts.into_iter().map(|(of, component)| (id(of), component));
        let uses = links.iter().map(|(_, target, _)| id(target));
        let own = |id: &EntityId| id.as_str().starts_with(&format!("{name}/"));
        let application = Application {
            phase: Phase::Deployed,
            components: components.collect(),
            links: links.iter().map(|link| one_link(*link)).collect::<BTreeMap<_, _>>(),
            uses: uses.filter(|id| !own(id)).collect::<BTreeSet<_>>(),
            canary: None,
        };
        desired.applications.insert(name.parse().expect("a name"), application);
    };
    add(
        "common",
        vec![("common/kv", provider(rng)), ("common/sweep", actor(rng))],
        &[("common/sweep", "common/kv", false)],
    );
    add(
        "shop",
        vec![("shop/web", provider(rng)), ("shop/cart", actor(rng))],
        &[("shop/web", "shop/cart", true), ("shop/cart", "common/kv", false)],
    );
    add("log", vec![("log/tail", actor(rng))], &[("log/tail", "common/kv", false)]);
    desired
}

fn one_link((source, target, is_traffic): (&str, &str, bool)) -> (LinkKey, Link) {
    let key = LinkKey {
        source: source.to_owned(),
        target: target.to_owned(),
        package: "a:b".to_owned(),
        name: "default".parse().expect("a name"),
    };
    (key, Link { source: id(source), target: id(target), is_traffic, content: digest(1) })
}

fn provider(rng: &mut StdRng) -> Component {
    let instances = rng.random_range(1..3);
    let scaler = Scaler::Spread { instances, spread: Vec::new() };
    Component { kind: Kind::Provider, artifact: version(1), scaler }
}

fn actor(rng: &mut StdRng) -> Component {
    Component { kind: Kind::Actor, artifact: version(1), scaler: scaler(rng) }
}

/// On all hosts alike, by zones, or on each host of a zone.
fn scaler(rng: &mut StdRng) -> Scaler {
    let mut zones = |count: usize| -> Vec<Spread> {
        let share = |zone: &str| Spread {
            name: zone.to_owned(),
            requirements: BTreeMap::from([("zone".to_owned(), zone.to_owned())]),
            weight: rng.random_range(1..100),
        };
        ["a", "b", "c"].into_iter().take(count).map(share).collect()
    };
    let spread = [zones(0), zones(2), zones(3)];
    let [all, two, three] = spread;
    match rng.random_range(0..6) {
        0..3 => Scaler::Spread { instances: rng.random_range(0..12), spread: all },
        3 => Scaler::Spread { instances: rng.random_range(1..12), spread: two },
        4 => Scaler::Spread { instances: rng.random_range(1..12), spread: three },
        _ => Scaler::Daemon { instances: rng.random_range(1..3), spread: two },
    }
}

/// Somebody deploys, with a canary or without, scales, undeploys; or a canary has done well.
pub(crate) fn change(desired: &mut Desired, rng: &mut StdRng) {
    let of = rng.random_range(0..desired.applications.len());
    let application = desired.applications.values_mut().nth(of).expect("one of them");
    let part = rng.random_range(0..application.components.len());
    let component = application.components.values_mut().nth(part).expect("one of them");
    match rng.random_range(0..6) {
        0 => {
            component.artifact = version(rng.random_range(1..4));
            application.canary = None;
        }
        4 => {
            let weight = rng.random_range(1..100);
            let artifact = version(rng.random_range(1..4));
            let before = application.components.clone();
            application.canary = Some(Canary { weight, before });
            let component = application.components.values_mut().nth(part).expect("one of them");
            component.artifact = artifact;
        }
        5 => application.canary = None,
        1 if component.kind == Kind::Actor => component.scaler = scaler(rng),
        2 => application.phase = Phase::Undeployed,
        _ => application.phase = Phase::Deployed,
    }
}
