use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;
use wattle_core::provider::{LeaseNews, NoteRefusal};

use super::site::{SOON, Site, grant, kill, until};
use crate::providers::{Note, Provider, Want};

/// A provider that wants a lease of its link 1, and what it wants.
async fn wanting(site: &mut Site) -> (Provider, Want) {
    let provider = site.provider("store", [("do", "behave")]);
    let mut link = grant(1, "ok");
    link.interfaces = vec!["wasi:keyvalue/store".parse().expect("an interface")];
    link.config.insert("lease".to_owned(), "watch".to_owned());
    provider.put_link(link).await.expect("it takes links");
    (provider, next(site).await)
}

async fn next(site: &mut Site) -> Want {
    timeout(SOON, site.wants.recv()).await.expect("it wants one").expect("open")
}

async fn note(want: &mut Want) -> Option<Note> {
    timeout(SOON, want.notes.recv()).await.expect("in time")
}

async fn until_log_says(site: &Site, text: &str) {
    let said = async {
        while !site.log_of("store").iter().any(|line| line.contains(text)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, said).await.unwrap_or_else(|_| panic!("{:?}", site.log_of("store")));
}

#[tokio::test]
async fn a_lease_is_wanted_in_the_scope_of_its_link_and_notes_go_both_ways() {
    let mut site = Site::new();
    let (_provider, mut want) = wanting(&mut site).await;
    assert_eq!((want.scope.provider.as_str(), want.scope.name.as_str()), ("store", "watch"));
    assert_eq!(want.scope.link.to_string(), "cart -> store on wasi:keyvalue (\"default\")");
    want.voice.say(LeaseNews::Held { note: b"this".to_vec(), for_ms: 1_000 });
    let note = note(&mut want).await;
    assert_eq!(note, Some(Note { write: 1, note: b"this and more".to_vec() }));
    want.voice.say(LeaseNews::Noted { write: 1, outcome: Err(NoteRefusal::NotHeld) });
    until_log_says(&site, "NotHeld").await;
}

#[tokio::test]
async fn a_lease_is_given_up_with_its_link_and_with_its_process() {
    let mut site = Site::new();
    let (provider, mut want) = wanting(&mut site).await;
    let pid = provider.ready(SOON).await.expect("it behaves");
    kill(pid, Signal::KILL);
    assert_eq!(note(&mut want).await, None, "the process is gone");
    let mut want = next(&mut site).await;
    until(&provider, |state| matches!(state, wattle_core::inventory::ProviderState::Ready { .. }))
        .await;
    provider.delete_link(1).await;
    assert_eq!(note(&mut want).await, None, "the link is gone");
}

#[tokio::test]
async fn who_wants_it_again_has_given_up_what_was_wanted_before() {
    let mut site = Site::new();
    let (provider, mut first) = wanting(&mut site).await;
    let mut link = grant(1, "ok");
    link.interfaces = vec!["wasi:keyvalue/store".parse().expect("an interface")];
    link.config.insert("lease".to_owned(), "watch".to_owned());
    provider.put_link(link).await.expect("it takes links");
    assert_eq!(note(&mut first).await, None);
    let second = next(&mut site).await;
    assert_eq!(second.scope, first.scope);
    second.voice.say(LeaseNews::Lost);
    until_log_says(&site, "lease 2: Lost").await;
}
