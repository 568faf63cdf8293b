//! A host at the other end of a socket, which says of leases what the tests have it say.

use tokio::{net::UnixStream, sync::mpsc};
use wattle_core::{CallError, provider::CONTROL_LEN_MAX};
use wattle_wire::{Handler, Limits, Reply, Request};

use super::*;

/// Longer than anything that is expected takes.
const SOON: Duration = Duration::from_secs(20);

struct Hears(mpsc::Sender<ToHost>);

impl Handler for Hears {
    fn call(
        self: &Arc<Self>,
        _: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        std::future::ready(Ok(Reply::new("")))
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, CONTROL_LEN_MAX).expect("a message to a host");
        self.0.try_send(message).expect("there is room");
    }
}

/// A provider's leases, and what its host hears of them.
fn leases() -> (Arc<Leases>, mpsc::Receiver<ToHost>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let (hears, heard) = mpsc::channel(200);
    let handler = Arc::new(Hears(hears));
    let (provider, driver) = Connection::new(ours, Limits::default(), handler.clone());
    tokio::spawn(driver);
    let (host, driver) = Connection::new(theirs, Limits::default(), handler);
    tokio::spawn(async move {
        driver.await;
        drop(host);
    });
    (Leases::new(provider), heard)
}

async fn next(heard: &mut mpsc::Receiver<ToHost>) -> ToHost {
    tokio::time::timeout(SOON, heard.recv()).await.expect("in time").expect("open")
}

fn held(note: &[u8], for_ms: u32) -> LeaseNews {
    LeaseNews::Held { note: note.to_vec(), for_ms }
}

#[tokio::test]
async fn a_lease_is_wanted_once_and_given_up_with_its_last_handle() {
    let (leases, mut heard) = leases();
    let first = leases.want(7, "watch").expect("a name");
    let second = leases.want(7, "watch").expect("a name");
    let take = ToHost::TakeLease { lease: 1, link: 7, name: "watch".parse().expect("a name") };
    assert_eq!(next(&mut heard).await, take);
    leases.hear(1, held(b"before", 60_000));
    let term = second.held().await;
    drop((first, second));
    assert!(term.goes_on() && heard.try_recv().is_err(), "the term keeps it");
    assert_eq!(term.note(), "before");
    drop(term);
    assert_eq!(next(&mut heard).await, ToHost::LeaveLease { lease: 1 });
}

#[tokio::test]
async fn names_and_numbers_are_limited() {
    let (leases, _heard) = leases();
    assert!(matches!(leases.want(1, "Not A Name"), Err(LeaseError::Name(_))));
    let all: Vec<_> = (0..LEASES_MAX).map(|link| leases.want(link as u32, "a")).collect();
    assert!(all.iter().all(Result::is_ok));
    assert!(matches!(leases.want(9_999, "a"), Err(LeaseError::TooMany)));
    drop(all);
    assert!(leases.want(9_999, "a").is_ok());
}

#[tokio::test]
async fn a_term_that_is_not_renewed_in_time_is_over_whatever_its_host_says_later() {
    let (leases, _heard) = leases();
    let lease = leases.want(1, "a").expect("a name");
    leases.hear(1, held(b"", 100));
    let term = lease.held().await;
    leases.hear(1, LeaseNews::Renewed { for_ms: 300 });
    let began = Instant::now();
    assert_eq!(term.during(std::future::pending::<()>()).await, None);
    assert!(began.elapsed() >= Duration::from_millis(200), "it was renewed");
    assert_eq!(term.write_note(b"x").await, Err(LeaseError::NotHeld));
    leases.hear(1, LeaseNews::Renewed { for_ms: 60_000 });
    assert!(!term.goes_on() && lease.held().await.goes_on(), "that is another term");
    leases.hear(1, LeaseNews::Lost);
    assert!(!lease.is_held());
}

#[tokio::test]
async fn a_note_is_there_when_the_host_says_so_and_late_answers_are_nobody_s() {
    let (leases, mut heard) = leases();
    let lease = leases.want(1, "a").expect("a name");
    leases.hear(1, held(b"old", 60_000));
    let term = lease.held().await;
    assert_eq!(term.write_note(&[0; 1_025]).await, Err(LeaseError::TooLong { len: 1_025 }));
    let given_up = tokio::time::timeout(Duration::from_millis(20), term.write_note(b"first")).await;
    assert!(given_up.is_err(), "nobody answers");
    let writing = tokio::spawn({
        let term = term.clone();
        async move { term.write_note(b"second").await }
    });
    loop {
        if let ToHost::WriteNote { write: 2, note, .. } = next(&mut heard).await {
            break assert_eq!(note, b"second");
        }
    }
    leases.hear(1, LeaseNews::Noted { write: 1, outcome: Err(NoteRefusal::NotHeld) });
    leases.hear(1, LeaseNews::Noted { write: 2, outcome: Ok(()) });
    assert_eq!(writing.await.expect("no panic"), Ok(()));
    assert_eq!(term.note(), "second");
}

#[tokio::test]
async fn a_note_that_another_holder_left_is_not_lost_to_a_writer_that_hears_late() {
    let (leases, mut heard) = leases();
    let lease = leases.want(1, "a").expect("a name");
    leases.hear(1, held(b"old", 60_000));
    let term = lease.held().await;
    let writing = term.write_note(b"ours");
    let hearing = async {
        while !matches!(next(&mut heard).await, ToHost::WriteNote { .. }) {}
        leases.hear(1, LeaseNews::Noted { write: 1, outcome: Ok(()) });
        leases.hear(1, LeaseNews::Lost);
        leases.hear(1, held(b"theirs", 60_000));
    };
    let (written, ()) = tokio::join!(writing, hearing);
    assert_eq!(written, Ok(()));
    assert_eq!(lease.held().await.note(), "theirs");
}

#[tokio::test]
async fn a_note_whose_writer_did_not_wait_is_there_once_it_is_written() {
    let (leases, _heard) = leases();
    let lease = leases.want(1, "a").expect("a name");
    leases.hear(1, held(b"old", 60_000));
    let term = lease.held().await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), term.write_note(b"new")).await;
    assert!(given_up.is_err(), "nobody answers");
    leases.hear(1, LeaseNews::Noted { write: 1, outcome: Ok(()) });
    assert_eq!(term.note(), "new");
}

#[tokio::test]
async fn a_link_that_is_put_again_wants_another_lease_than_the_one_that_went_with_it() {
    let (leases, mut heard) = leases();
    let before = leases.want(3, "a").expect("a name");
    leases.hear(1, held(b"", 60_000));
    let term = before.held().await;
    leases.link_deleted(3);
    assert!(!term.goes_on() && !before.is_held());
    let again = leases.want(3, "a").expect("a name");
    leases.hear(2, held(b"", 60_000));
    assert!(again.is_held() && !before.is_held());
    drop((before, term));
    let taken = [next(&mut heard).await, next(&mut heard).await, next(&mut heard).await];
    assert!(matches!(taken[1], ToHost::TakeLease { lease: 2, .. }), "{taken:?}");
    assert_eq!(taken[2], ToHost::LeaveLease { lease: 1 });
}
