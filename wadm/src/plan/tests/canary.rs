//! A new version on a part of the hosts, beside the old one.

use super::*;

/// Another version of the cart, as a canary.
fn renew(desired: &mut Desired, weight: u8) {
    let shop = desired.applications.get_mut(&name("shop")).expect("the shop");
    shop.canary = Some(Canary { weight, before: shop.components.clone() });
    shop.components.get_mut(&id("shop/cart")).expect("the cart").artifact = version(2);
}

fn scale(desired: &mut Desired, scaler: Scaler) {
    let shop = desired.applications.get_mut(&name("shop")).expect("the shop");
    shop.components.get_mut(&id("shop/cart")).expect("the cart").scaler = scaler;
}

/// The old version is held to what its own scaler says, and to where it says so.
#[test]
fn a_canary_lets_the_old_version_have_no_more_than_it_may() {
    let cart = id("shop/cart");
    let mut desired = shop(everywhere(3));
    let mut observed = zones(4);
    settle(&desired, &mut observed);
    renew(&mut desired, 25);
    scale(&mut desired, everywhere(12));
    settle(&desired, &mut observed);
    let of = |observed: &Observed, artifact: &Artifact| -> Vec<u32> {
        let running = observed.hosts.values().filter_map(|host| host.running.get(&cart));
        running.filter(|it| it.artifact == *artifact).map(|it| it.instances).collect()
    };
    assert_eq!(of(&observed, &version(2)), [3]);
    assert_eq!(of(&observed, &version(1)).iter().sum::<u32>(), 3);
    assert!(plan(&desired, &observed).status[&cart].is_canary);

    // In a zone where the old version may not run, there is only the new one.
    let only = |zone: &str| Scaler::Spread { instances: 4, spread: vec![share(zone, 1)] };
    let mut desired = shop(only("a"));
    let mut observed = zones(2);
    settle(&desired, &mut observed);
    renew(&mut desired, 25);
    scale(&mut desired, only("b"));
    let first = plan(&desired, &observed).commands;
    assert!(
        first.iter().all(|it| matches!(it, Command::Run { .. })),
        "none stops first: {first:?}"
    );
    settle(&desired, &mut observed);
    assert!(plan(&desired, &observed).status[&cart].answers());
}

#[test]
fn a_canary_has_its_part_and_the_old_version_does_the_rest() {
    let shares = vec![share("a", 4), share("b", 3), share("c", 2)];
    let mut desired = shop(Scaler::Spread { instances: 9, spread: shares });
    let mut observed = zones(3);
    settle(&desired, &mut observed);
    let cart = id("shop/cart");
    let runs = |observed: &Observed, host: u8| {
        let running = &observed.hosts[&key(host)].running[&cart];
        (running.artifact.clone(), running.instances)
    };
    renew(&mut desired, 30);
    assert!(!plan(&desired, &observed).status[&cart].is_canary, "nothing of it runs");
    settle(&desired, &mut observed);
    assert_eq!(
        [0, 1, 2].map(|it| runs(&observed, it)),
        [(version(1), 4), (version(1), 3), (version(2), 2)]
    );
    let status = &plan(&desired, &observed).status[&cart];
    assert!(status.is_canary && !status.answers(), "{status:?}");

    // A host of the old version is lost: the old version does its part, and so does the new.
    observed.hosts.get_mut(&key(1)).expect("the host").state = HostState::Lost;
    settle(&desired, &mut observed);
    assert_eq!([0, 2].map(|it| runs(&observed, it)), [(version(1), 5), (version(2), 4)]);
    observed.hosts.get_mut(&key(1)).expect("the host").state = HostState::Ready;
    settle(&desired, &mut observed);
    assert!(plan(&desired, &observed).status[&cart].is_canary);

    // What does not answer is no canary that is well; what is promoted goes everywhere.
    let mut bad = observed.clone();
    let running = bad.hosts.get_mut(&key(2)).expect("the host").running.get_mut(&cart);
    running.expect("it runs").ready = 0;
    assert!(!plan(&desired, &bad).status[&cart].is_canary);
    desired.applications.get_mut(&name("shop")).expect("the shop").canary = None;
    settle(&desired, &mut observed);
    assert!((0..3).all(|it| runs(&observed, it).0 == version(2)));

    // On one host there is no part: all of it is renewed.
    let mut one = zones(1);
    let mut desired = shop(everywhere(3));
    settle(&desired, &mut one);
    renew(&mut desired, 10);
    settle(&desired, &mut one);
    assert!(plan(&desired, &one).status[&cart].answers());
}
