//! Events and beats.

use std::time::Instant;

use futures::StreamExt;
use wattle_core::{
    Subject,
    event::{CloudEvent, Event},
};

use crate::scene::{Scene, host, shop, soon, until_connected};

fn event(number: u64) -> CloudEvent {
    let data = Event::ActorStopped { id: "counter".parse().unwrap(), reason: "asked to".into() };
    let time = "2026-01-01T00:00:00Z".to_owned();
    CloudEvent::new(&shop(), &host('A'), "run", number, time, data)
}

#[tokio::test]
async fn events_and_beats_reach_whoever_listens() {
    let scene = Scene::start().await;
    let (one, two) = (scene.connect().await, scene.connect().await);
    let (mut events, mut beats) = (two.events().await.unwrap(), two.beats().await.unwrap());
    one.publish_event(&event(1));
    one.publish_beat(&host('A'), "beat");
    assert_eq!(soon("an event", events.next()).await, Some(event(1)));
    assert_eq!(soon("a beat", beats.next()).await, Some((host('A'), "beat".to_owned())));
}

#[tokio::test]
async fn another_lattice_on_the_same_nats_hears_nothing() {
    let scene = Scene::start().await;
    let name = "other".parse().unwrap();
    let other = wattle_lattice::Lattice::connect(name, &scene.nats.options()).await.unwrap();
    let mut heard = other.events().await.unwrap();
    scene.connect().await.publish_event(&event(1));
    let mut own = event(2);
    own.source = "wattle/other/x".into();
    other.publish_event(&own);
    assert_eq!(soon("its own event", heard.next()).await, Some(own));
}

#[tokio::test]
async fn malformed_events_and_beats_are_skipped_and_counted() {
    let scene = Scene::start().await;
    let (lattice, stranger) = (scene.connect().await, scene.stranger().await);
    let (mut events, mut beats) = (lattice.events().await.unwrap(), lattice.beats().await.unwrap());

    let subject =
        |kind: &str| Subject::Event { lattice: shop(), kind: kind.parse().unwrap() }.to_string();
    let good = serde_json::to_vec(&event(1)).unwrap();
    let huge = serde_json::to_vec(&{
        let mut huge = event(1);
        huge.time = "x".repeat(100_000);
        huge
    });
    let nested = "[".repeat(50_000).into_bytes();
    // The last is right, but on the subject of another kind.
    let bad = [vec![], vec![0xff; 100], b"{}".to_vec(), nested, huge.unwrap()];
    for payload in bad {
        stranger.publish(subject("actor-stopped"), payload.into()).await.unwrap();
    }
    stranger.publish(subject("host-started"), good.clone().into()).await.unwrap();
    stranger.publish("wattle.1.shop.event.NOT_A_NAME", good.clone().into()).await.unwrap();
    stranger.publish(subject("actor-stopped"), good.into()).await.unwrap();
    assert_eq!(soon("the good one", events.next()).await, Some(event(1)));
    assert_eq!(lattice.traffic().refused, 7);

    stranger.publish("wattle.1.shop.beat.nobody", "x".into()).await.unwrap();
    let subject = Subject::Beat { lattice: shop(), host: host('A') }.to_string();
    for payload in [vec![], vec![0xff], vec![b'x'; 100_000], b"beat".to_vec()] {
        stranger.publish(subject.clone(), payload.into()).await.unwrap();
    }
    assert_eq!(soon("the good one", beats.next()).await, Some((host('A'), "beat".to_owned())));
    assert_eq!(lattice.traffic().refused, 11);
}

#[tokio::test]
async fn without_nats_telling_costs_nothing_and_is_counted() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    scene.nats.kill().await;
    until_connected(&lattice, false).await;
    let started = Instant::now();
    for number in 0..10_000 {
        lattice.publish_event(&event(number));
        lattice.publish_beat(&host('A'), "beat");
    }
    assert!(started.elapsed().as_secs() < 5);
    assert_eq!(lattice.traffic().dropped, 20_000);
}

#[tokio::test]
async fn who_listens_hears_again_after_the_server_was_away() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    let mut beats = lattice.beats().await.unwrap();
    scene.nats.kill().await;
    until_connected(&lattice, false).await;
    scene.nats.restart().await.unwrap();
    until_connected(&lattice, true).await;
    lattice.publish_beat(&host('A'), "again");
    assert_eq!(soon("a beat", beats.next()).await, Some((host('A'), "again".to_owned())));
}
