//! Holds resources of a provider's, and uses them as it should and as it should not. The README beside the workspace lists its routes.

use std::time::Duration;

mod bindings {
    #![allow(clippy::all, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "holder", generate_all });
}

use bindings::wattle_test::shelf::{
    desk::{self, Content, Parcel},
    things::{self, Thing},
};
use wattle::{Error, Request, Response, Result, link};

const INTERFACES: [&str; 2] = ["wattle-test:shelf/things", "wattle-test:shelf/desk"];

wattle::http!(route);

fn route(request: Request) -> Result<Response> {
    let count = || request.query("count").unwrap_or("1").parse::<u32>();
    if let Some(name) = request.query("link") {
        link::choose(name, &INTERFACES)?;
    }
    let text = match request.path() {
        "/kept" => desk::kept().to_string(),
        "/values" => values()?,
        "/hold" => return hold(count()?, request.query("then").unwrap_or_default()),
        "/turns" => turns(count()?)?,
        "/across" => across(request.query("ms").unwrap_or("0").parse()?),
        "/empty" => empty().err().unwrap_or_default(),
        "/refused" => Thing::make("no-thing").err().unwrap_or_default(),
        "/after-drop" => after(drop),
        "/given-away" => after(|thing| drop(Thing::join(thing, &Thing::new("other")))),
        "/forge" => forged(count()?).name(),
        "/other-link" => other_link(request.query("to").unwrap_or_default())?,
        "/two-links" => two_links(request.query("to").unwrap_or_default())?,
        _ => "holder".to_owned(),
    };
    Ok(Response::text(format!("{text}\n")))
}

/// Things in and out of every kind of value.
fn values() -> Result<String> {
    let [a, b, c] = ["a", "b", "c"].map(Thing::new);
    let looked = desk::look(&[&a, &b, &a]);
    let joined = Thing::join(a, &b);
    let content = Content::Several(vec![joined, b]);
    let sent = Parcel { label: "sent".to_owned(), content, spare: Some(Some(c)) };
    let Parcel { label, content, spare } = desk::repack(sent).map_err(Error::msg)?;
    let Content::Several(several) = content else { return Ok("other content".to_owned()) };
    let names: Vec<String> = several.iter().map(Thing::name).collect();
    let spare = spare.flatten().map(|thing| thing.name());
    let refused = empty().map(|parcel| parcel.label);
    let one = Parcel { label: "o".to_owned(), content: Content::One(Thing::new("d")), spare: None };
    let one = desk::repack(one).map_err(Error::msg)?.label;
    Ok(format!("{looked:?} {label} {names:?} {spare:?} {refused:?} {one}"))
}

fn empty() -> std::result::Result<Parcel, String> {
    let label = "e".to_owned();
    desk::repack(Parcel { label, content: Content::Nothing, spare: Some(None) })
}

/// Leaves things behind that it never drops.
fn hold(count: u32, then: &str) -> Result<Response> {
    let held = things::many(count);
    let last = held.last().map(Thing::name).unwrap_or_default();
    std::mem::forget(held);
    match then {
        "trap" => unreachable!("it was asked to"),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "fail" => Err(Error::msg(format!("{last} is held"))),
        _ => Ok(Response::text(format!("{last}\n"))),
    }
}

/// Makes things one after the other and uses each, so many at once.
fn turns(count: u32) -> Result<String> {
    let made = (0..count).map(|at| Thing::make(&at.to_string()).map_err(Error::msg));
    let held: Vec<Thing> = made.collect::<std::result::Result<_, _>>()?;
    let right = held.iter().enumerate().filter(|(at, thing)| thing.name() == at.to_string());
    Ok(format!("{} of {count}", right.count()))
}

/// Uses a thing a while after it was made.
fn across(wait_ms: u64) -> String {
    let thing = Thing::new("made before");
    std::thread::sleep(Duration::from_millis(wait_ms));
    thing.name()
}

/// Uses a thing of its own after it did `away` with it.
fn after(away: impl FnOnce(Thing)) -> String {
    let thing = Thing::new("gone");
    let handle = thing.handle();
    away(thing);
    forged(handle).name()
}

/// A thing that nobody gave it.
fn forged(handle: u32) -> Thing {
    // SAFETY: for the host to see to: that is what this guest is for.
    unsafe { Thing::from_handle(handle) }
}

/// Makes a thing over the link it is on, and uses it when it has chosen another.
fn other_link(to: &str) -> Result<String> {
    let thing = Thing::new("made over the first");
    link::choose(to, &INTERFACES)?;
    let second = Thing::new("made over the second");
    Ok(format!("{}, {}", thing.name(), second.name()))
}

/// Uses things of two links at once.
fn two_links(to: &str) -> Result<String> {
    let first = Thing::new("first");
    link::choose(to, &INTERFACES)?;
    let second = Thing::new("second");
    Ok(Thing::join(first, &second).name())
}
