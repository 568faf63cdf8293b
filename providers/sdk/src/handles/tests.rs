//! Who may use which handle, and when what it stands for is gone.

use wattle_core::handle::DROPPED_MAX;

use super::{made::kept_if_answered, *};

/// A table, and what counts the values that are there.
fn handles(per_link: usize) -> (Handles<Arc<()>>, Arc<()>) {
    let limits = HandleLimits { per_link, idle: Duration::from_secs(60) };
    (Handles::new("cart").with_limits(limits), Arc::new(()))
}

fn there(count: &Arc<()>) -> usize {
    Arc::strong_count(count) - 1
}

fn kind<T>(answer: Result<T, CallError>) -> Option<ErrorKind> {
    answer.err().map(|error| error.kind)
}

fn drop_of(handles: &[Handle]) -> Vec<u8> {
    codec::encode(&Dropped { handles: handles.into() })
}

#[test]
fn a_handle_is_good_over_its_link_until_it_is_dropped_or_taken() {
    let (carts, count) = handles(9);
    let [first, second] = [(); 2].map(|()| carts.insert(1, count.clone()).expect("room"));
    assert!(carts.get(1, first).is_ok());
    assert_eq!(kind(carts.get(2, first)), Some(ErrorKind::NotFound), "another caller's");
    assert_eq!(kind(carts.take(2, first)), Some(ErrorKind::NotFound));
    assert_eq!(carts.dropped(2, &drop_of(&[first])).map(|reply| reply.body.is_none()), Ok(true));
    assert_eq!(there(&count), 2, "dropping another's does nothing");
    let taken = carts.take(1, first).expect("its own");
    assert_eq!(kind(carts.get(1, first)), Some(ErrorKind::NotFound), "given away");
    drop(taken);
    let used = carts.get(1, second).expect("its own");
    carts.dropped(1, &drop_of(&[first, second, second])).expect("what is unknown is no error");
    assert_eq!(kind(carts.get(1, second)), Some(ErrorKind::NotFound), "dropped");
    assert_eq!(there(&count), 1, "a call that uses it finishes with it");
    drop(used);
    assert_eq!((there(&count), carts.is_empty()), (0, true));
}

#[test]
fn numbers_are_forged_in_vain_and_start_at_random() {
    let (carts, count) = handles(9);
    let handle = carts.insert(1, count.clone()).expect("room");
    for number in [0, handle.get().wrapping_add(1), handle.get().wrapping_sub(1), u32::MAX / 2] {
        if number != handle.get() {
            assert_eq!(kind(carts.get(1, Handle::new(number))), Some(ErrorKind::NotFound));
        }
    }
    let starts: Vec<Handle> =
        (0..4).map(|_| handles(1).0.insert(1, count.clone()).expect("room")).collect();
    assert!(starts.iter().any(|start| *start != starts[0]), "{starts:?}");
}

#[test]
fn one_caller_takes_no_more_than_it_may_and_nothing_from_another() {
    let (carts, count) = handles(2);
    for _ in 0..2 {
        carts.insert(1, count.clone()).expect("room");
    }
    assert_eq!(
        kind(carts.insert(1, count.clone())),
        Some(ErrorKind::LimitExceeded),
        "the most per link"
    );
    assert_eq!(there(&count), 2);
    carts.insert(2, count.clone()).expect("another caller has its own room");
    carts.delete_link(1);
    assert_eq!((carts.len(), there(&count)), (1, 1));
    carts.insert(1, count).expect("room again");
}

#[test]
fn ten_thousand_are_dropped_in_ten_calls() {
    let (carts, count) = handles(10_000);
    let all: Vec<Handle> =
        (0..10_000).map(|_| carts.insert(7, count.clone()).expect("room")).collect();
    let calls =
        all.chunks(DROPPED_MAX).map(|some| carts.dropped(7, &drop_of(some)).expect("it fits"));
    assert_eq!(calls.count(), 10);
    assert_eq!((carts.len(), there(&count)), (0, 0));
    let too_many = drop_of(&vec![Handle::new(u32::MAX); 4 * DROPPED_MAX]);
    for malformed in [&too_many[..], b"", b"\x07", b"\x81\xa7handles\x07"] {
        assert_eq!(kind(carts.dropped(7, malformed)), Some(ErrorKind::Malformed));
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_is_dropped_and_what_is_used_is_not() {
    let (carts, count) = handles(9);
    let [forgotten, asked, in_use] =
        [(); 3].map(|()| carts.insert(1, count.clone()).expect("room"));
    let using = carts.get(1, in_use).expect("its own");
    for _ in 0..4 {
        sleep(Duration::from_secs(30)).await;
        carts.get(1, asked).expect("it is used");
    }
    assert_eq!(kind(carts.get(1, forgotten)), Some(ErrorKind::NotFound));
    drop(using);
    assert_eq!(there(&count), 2);
    sleep(Duration::from_secs(90)).await;
    assert_eq!((carts.len(), there(&count)), (0, 0), "nobody asks any more");
    let late = carts.insert(1, count.clone()).expect("room");
    sleep(Duration::from_secs(90)).await;
    assert_eq!(kind(carts.get(1, late)), Some(ErrorKind::NotFound), "it is watched again");
}

#[tokio::test]
async fn what_a_call_made_that_failed_or_was_cancelled_is_taken_back() {
    let (carts, count) = handles(9);
    let make = async |answer: Result<(), CallError>| {
        carts.insert(1, count.clone())?;
        tokio::task::yield_now().await;
        carts.insert(1, count.clone())?;
        answer
    };
    let failure = || CallError::new(ErrorKind::Failed, "no");
    assert_eq!(kept_if_answered(make(Err(failure()))).await, Err(failure()));
    assert_eq!((carts.len(), there(&count)), (0, 0), "it failed");
    {
        let mut cancelled = std::pin::pin!(kept_if_answered(make(Ok(()))));
        let polled = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(cancelled.as_mut().poll(cx).is_pending())
        });
        assert!(polled.await);
        assert_eq!(carts.len(), 1, "it is under way");
    }
    assert_eq!((carts.len(), there(&count)), (0, 0), "it was cancelled");
    kept_if_answered(make(Ok(()))).await.expect("it is answered");
    carts.insert(1, count.clone()).expect("beside any call");
    assert_eq!((carts.len(), there(&count)), (3, 3));
}
