//! What is declared: a hundred applications of ten components, on hosts of three zones.

use std::collections::{BTreeMap, BTreeSet};

use wattle_claims::{KeyKind, KeyPair, content_of};
use wattle_core::{
    AccountKey, EntityId, Interface, Link, Name,
    deployment::{
        Component, Deployment, HEALTHY_WITHIN_S, Phase, Program, Scaler, Spread, Version,
    },
    entity::{CodeKey, Identity, Party},
    link::LinkConfig,
};

/// How many there are.
pub(crate) const APPLICATIONS: usize = 100;
/// Components of each.
pub(crate) const COMPONENTS: usize = 10;
/// Hosts of the zones `a`, `b` and `c`. Nearly everything is for the first two.
pub(crate) const ZONES: [(&str, usize); 3] = [("a", 8), ("b", 8), ("c", 4)];

/// One in so many has an actor for zone `c`, which so runs little.
const ELSEWHERE_EVERY: usize = 5;
/// Actors of an application whose instances are spread over two zones.
const PARTS: usize = 8;

/// All of them.
pub(crate) fn all(account: &AccountKey) -> Vec<Deployment> {
    (0..APPLICATIONS).map(|index| application(index, account)).collect()
}

/// Eight actors, one more that may be for another zone, and a provider that brings traffic: on each host of a zone or on one.
fn application(index: usize, account: &AccountKey) -> Deployment {
    let name: Name = format!("app-{index:02}").parse().expect("a name");
    let id = |of: &str| -> EntityId { format!("{name}/{of}").parse().expect("an id") };
    let instances = |part: usize| u16::try_from(2 + part % 3).expect("a few");
    let parts = (0..PARTS).map(|part| {
        let scaler = Scaler::Spread { instances: instances(part), spread: zones(&["a", "b"]) };
        component(id(&format!("part-{part}")), KeyKind::Actor, scaler, account)
    });
    let last = match index % ELSEWHERE_EVERY {
        0 => Scaler::Spread { instances: 6, spread: zones(&["c"]) },
        _ => Scaler::Spread { instances: 2, spread: zones(&["a", "b"]) },
    };
    let gate = match index % 2 {
        0 => Scaler::Daemon { instances: 1, spread: zones(&["a"]) },
        _ => Scaler::Spread { instances: 1, spread: zones(&["b"]) },
    };
    let mut components: Vec<Component> = parts.collect();
    components.push(component(id("last"), KeyKind::Actor, last, account));
    components.push(component(id("gate"), KeyKind::Provider, gate, account));
    let (gate, first, second, third) =
        (&components[PARTS + 1], &components[0], &components[1], &components[2]);
    let links = vec![
        link(gate, first, "wasi:http/incoming-handler"),
        link(first, second, "shop:parts/answer"),
        link(second, third, "shop:parts/answer"),
    ];
    let version = Version {
        name: "v1".parse().expect("a version's name"),
        components,
        links,
        uses: BTreeSet::new(),
        shared: false,
        healthy_within_s: HEALTHY_WITHIN_S,
    };
    Deployment {
        application: name,
        phase: Phase::Deployed,
        versions: vec![version],
        canary: None,
        is_return: false,
        end: None,
    }
}

/// Evenly over these zones.
fn zones(of: &[&str]) -> Vec<Spread> {
    let one = |zone: &&str| Spread {
        name: (*zone).to_owned(),
        requirements: BTreeMap::from([("zone".to_owned(), (*zone).to_owned())]),
        weight: 1,
    };
    of.iter().map(one).collect()
}

/// Each is code of its own.
fn component(id: EntityId, kind: KeyKind, scaler: Scaler, account: &AccountKey) -> Component {
    let key = KeyPair::generate(kind);
    let key = match kind {
        KeyKind::Provider => CodeKey::Provider(key.public_key().expect("a provider's key")),
        _ => CodeKey::Actor(key.public_key().expect("an actor's key")),
    };
    let program = Program {
        artifact: content_of(&id),
        identity: Identity { account: account.clone(), key },
        config: LinkConfig::default(),
        limits: Default::default(),
    };
    Component { id, program, scaler, probe: None }
}

fn link(source: &Component, target: &Component, interface: &str) -> Link {
    let party = |of: &Component| Party { id: of.id.clone(), identity: of.program.identity.clone() };
    let interface: Interface = interface.parse().expect("an interface");
    Link {
        source: party(source),
        target: party(target),
        name: "default".parse().expect("a name"),
        interfaces: vec![interface],
        locality: Default::default(),
        constraints: Default::default(),
        source_config: LinkConfig::default(),
        target_config: LinkConfig::default(),
    }
}
