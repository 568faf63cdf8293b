//! Calls and their errors, control messages, pings.

use super::*;

#[tokio::test]
async fn both_ends_call_each_other() {
    let (here, there) = End::pair();
    let (ours, theirs) = tokio::join!(here.call("echo", "a"), there.call("later", "b"));
    assert_eq!(ours.expect("answered").result, "a");
    assert_eq!(theirs.expect("answered").result, "b");
    assert_eq!((here.connection.in_flight(), there.connection.in_flight()), (0, 0));
}

#[tokio::test]
async fn a_thousand_calls_at_once_get_their_own_answers() {
    let (here, _there) = End::pair();
    let calls: Vec<_> = (0..1_000_u32)
        .map(|n| {
            let connection = here.connection.clone();
            let head = if n % 3 == 0 { "later" } else { "echo" };
            tokio::spawn(async move {
                let params = Bytes::from(n.to_le_bytes().to_vec());
                let request = Request { head: head.into(), params, body: None };
                (n, connection.call(request).await.expect("answered").result)
            })
        })
        .collect();
    for call in calls {
        let (n, result) = call.await.expect("no panic");
        assert_eq!(result[..], n.to_le_bytes());
    }
    assert_eq!(here.connection.in_flight(), 0);
}

#[tokio::test]
async fn a_timer_stays_ahead_while_calls_come_and_goes_once_none_does() {
    let (here, _there) = End::pair();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(here.call("echo", "").await.is_ok());
    let without = tasks();
    let mut most = 0;
    for _ in 0..3 {
        assert!(here.call("later", "").await.is_ok());
        until(|| tasks() <= without + 1).await; // the call's own task ends after its answer
        most = most.max(tasks() - without);
    }
    assert_eq!(most, 1, "one timer, for however many calls");
    let gone = until(|| tasks() == without);
    timeout(Duration::from_secs(30), gone).await.expect("it goes");
}

#[tokio::test]
async fn an_error_and_a_panic_fail_their_call_only() {
    let (here, _there) = End::pair();
    let failed = here.call("fail", "").await.expect_err("it fails");
    assert_eq!(failed, CallError::new(ErrorKind::Failed, "as asked"));
    for when in ["panic at once", "panic", "panic later"] {
        let error = here.call(when, "").await.expect_err("it panics");
        assert_eq!(error.kind, ErrorKind::Failed, "{when}");
    }
    assert!(here.call("echo", "").await.is_ok());
}

#[tokio::test]
async fn what_is_too_large_is_refused_where_it_is_made() {
    let (here, _there) = End::pair();
    let params = Bytes::from(vec![0; PARAMS_LEN_MAX + 1]);
    let refused = here.connection.call(Request { head: "echo".into(), params, body: None }).await;
    assert_eq!(refused.expect_err("too large").kind, ErrorKind::TooLarge);
    assert_eq!(here.call("huge", "").await.expect_err("too large").kind, ErrorKind::TooLarge);

    let params = Bytes::from(vec![7; PARAMS_LEN_MAX]);
    let request = Request { head: "echo".into(), params: params.clone(), body: None };
    assert_eq!(
        here.connection.call(request).await.expect("the limit itself passes").result,
        params
    );
}

#[tokio::test]
async fn a_call_past_the_limit_is_overloaded_at_once() {
    let (here, _there) = End::pair_with(Limits { calls_max: 2, ..Limits::default() });
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let connection = here.connection.clone();
            tokio::spawn(async move { connection.call(request("never", "", None)).await })
        })
        .collect();
    until(|| here.connection.in_flight() == 2).await;
    assert_eq!(here.call("echo", "").await.expect_err("full").kind, ErrorKind::Overloaded);
    assert_eq!(here.connection.counters().overloaded, 1);
    waiting.iter().for_each(JoinHandle::abort);
    until(|| here.connection.in_flight() == 0).await;
    assert!(here.call("echo", "").await.is_ok());
}

#[tokio::test]
async fn the_callee_has_a_limit_of_its_own() {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let here = End::new(ours, Limits::default());
    let there = End::new(theirs, Limits { calls_max: 1, ..Limits::default() });
    let connection = here.connection.clone();
    let waiting = tokio::spawn(async move { connection.call(request("never", "", None)).await });
    until(|| there.running() == 1).await;
    assert_eq!(here.call("echo", "").await.expect_err("full").kind, ErrorKind::Overloaded);
    waiting.abort();
    until(|| there.running() == 0).await;
    assert!(here.call("echo", "").await.is_ok());
}

#[tokio::test]
async fn dropping_a_call_drops_its_handler() {
    let (here, there) = End::pair();
    let connection = here.connection.clone();
    let call = tokio::spawn(async move { connection.call(request("never", "", None)).await });
    until(|| there.running() == 1).await;
    call.abort();
    until(|| there.running() == 0).await;
    assert_eq!(here.connection.in_flight(), 0);
    assert!(here.call("echo", "").await.is_ok());
}

#[tokio::test]
async fn control_messages_arrive_in_order() {
    let (here, mut there) = End::pair();
    for n in 0..50_u8 {
        here.connection.control(vec![n]).expect("open");
    }
    for n in 0..50_u8 {
        assert_eq!(there.controls.recv().await.expect("open")[..], [n]);
    }
    let refused = here.connection.control(vec![0; CONTROL_LEN_MAX + 1]);
    assert_eq!(refused, Err(ControlError::TooLarge));
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (here, _there) = End::pair();
    here.connection.ping(Duration::from_secs(5)).await.expect("answered");
}

#[tokio::test]
async fn a_ping_to_nobody_times_out() {
    let (ours, _nobody_reads) = UnixStream::pair().expect("a pair");
    let here = End::new(ours, Limits::default());
    let answer = here.connection.ping(Duration::from_millis(10)).await;
    assert_eq!(answer, Err(PingError::TimedOut));
}

#[tokio::test]
async fn how_long_the_other_side_says_nothing_is_known() {
    let (here, _there) = End::pair();
    here.connection.ping(Duration::from_secs(5)).await.expect("answered");
    let silence = Duration::from_millis(30);
    assert!(here.connection.silent_for() < Duration::from_secs(5));
    tokio::time::sleep(silence).await;
    assert!(here.connection.silent_for() >= silence);
    here.connection.ping(Duration::from_secs(5)).await.expect("answered");
    assert!(here.connection.silent_for() < Duration::from_secs(5));
}
