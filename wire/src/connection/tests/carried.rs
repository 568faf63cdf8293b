//! Connections over messages, some of which are lost or come in another order.

use super::*;
use crate::frame::{self, Frame};

/// What a test does to the frames of one message.
type Fault = Box<dyn FnMut(Vec<Frame>) -> Vec<Frame> + Send>;

fn untouched() -> Fault {
    Box::new(|frames| frames)
}

/// Two connections, each carrying the other's messages, with a fault in each direction.
struct Pair {
    here: Connection,
    there: Connection,
    running: Arc<AtomicUsize>,
}

impl Pair {
    fn new(requests: Fault, replies: Fault) -> Self {
        let running = Arc::new(AtomicUsize::new(0));
        let (here, here_in, here_out) = Connection::carried(Limits::default(), callee(&running));
        let (there, there_in, there_out) = Connection::carried(Limits::default(), callee(&running));
        tokio::spawn(carry(here_out, there_in, requests));
        tokio::spawn(carry(there_out, here_in, replies));
        Self { here, there, running }
    }

    async fn call(&self, head: &'static str, body: Option<Body>) -> Result<Reply, CallError> {
        let call = self.here.call(request(head, "params", body));
        let answered = timeout(Duration::from_millis(300), call).await;
        answered.unwrap_or_else(|_| Err(CallError::new(ErrorKind::DeadlineExceeded, "no answer")))
    }

    fn running(&self) -> usize {
        self.running.load(Relaxed)
    }
}

fn callee(running: &Arc<AtomicUsize>) -> Arc<Callee> {
    let (controls, _) = mpsc::channel(1);
    let (kept, _) = mpsc::channel(1);
    Arc::new(Callee { controls, kept, running: Arc::clone(running) })
}

async fn carry(mut outlet: Outlet, mut intake: Intake<Callee>, mut fault: Fault) {
    while let Some(message) = outlet.next().await {
        let frames = fault(decoded(message));
        let mut message = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut message));
        if intake.take(message.into()).await.is_err() {
            return;
        }
    }
}

fn decoded(message: &[u8]) -> Vec<Frame> {
    let mut buffer = message.into();
    let mut frames = Vec::new();
    while let Some(frame) = frame::decode(&mut buffer).expect("our own frames") {
        frames.push(frame);
    }
    frames
}

/// Drops the first frame that `which` picks.
fn drop_first(which: impl Fn(&Frame) -> bool + Send + 'static) -> Fault {
    let mut dropped = false;
    Box::new(move |frames| {
        let keep = |frame: &Frame| {
            let drops = !dropped && which(frame);
            dropped |= drops;
            !drops
        };
        let mut keep = keep;
        frames.into_iter().filter(|frame| keep(frame)).collect()
    })
}

fn long_body() -> Body {
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        for _ in 0..40 {
            if sender.send(vec![7; 20_000].into()).await.is_err() {
                return;
            }
        }
        sender.finish(None);
    });
    body
}

async fn length_of(reply: Reply) -> Result<usize, StreamError> {
    Ok(reply.body.expect("a body").collect(10_000_000).await?.len())
}

#[tokio::test]
async fn calls_and_bodies_pass_over_messages() {
    let pair = Pair::new(untouched(), untouched());
    assert_eq!(pair.call("echo", None).await.expect("answered").result, "params");
    let reply = pair.call("echo", Some(long_body())).await.expect("answered");
    assert_eq!(length_of(reply).await, Ok(800_000));
    assert!(pair.here.ping(Duration::from_secs(1)).await.is_ok());
    assert_eq!((pair.here.in_flight(), pair.there.jobs()), (0, 0));
}

#[tokio::test]
async fn a_lost_piece_loses_its_body_and_nothing_else() {
    let pair =
        Pair::new(drop_first(|frame| matches!(frame, Frame::Data { index: 5, .. })), untouched());
    let reply = pair.call("echo", Some(long_body())).await.expect("the head is not lost");
    assert!(length_of(reply).await.is_err());
    assert_eq!(pair.call("echo", None).await.expect("answered").result, "params");
}

#[tokio::test]
async fn pieces_in_another_order_lose_their_body() {
    let reversed: Fault = Box::new(|mut frames| {
        if let [Frame::Data { .. }, .., Frame::Data { .. }] = &frames[..] {
            frames.reverse();
        }
        frames
    });
    let pair = Pair::new(reversed, untouched());
    let reply = pair.call("count", Some(long_body())).await;
    assert_eq!(reply.expect_err("not whole").kind, ErrorKind::Interrupted);
    assert_eq!(pair.call("echo", None).await.expect("answered").result, "params");
}

#[tokio::test]
async fn a_lost_request_or_answer_costs_its_call_only() {
    let lost_request =
        Pair::new(drop_first(|frame| matches!(frame, Frame::Request { .. })), untouched());
    assert_eq!(
        lost_request.call("echo", None).await.expect_err("lost").kind,
        ErrorKind::DeadlineExceeded
    );
    assert!(lost_request.call("echo", None).await.is_ok());
    let lost_answer =
        Pair::new(untouched(), drop_first(|frame| matches!(frame, Frame::Reply { .. })));
    assert_eq!(
        lost_answer.call("echo", None).await.expect_err("lost").kind,
        ErrorKind::DeadlineExceeded
    );
    assert!(lost_answer.call("echo", None).await.is_ok());
}

#[tokio::test]
async fn a_call_whose_cancel_was_lost_makes_way_for_the_next() {
    let pair = Pair::new(drop_first(|frame| matches!(frame, Frame::Cancel { .. })), untouched());
    assert_eq!(
        pair.call("never", None).await.expect_err("never").kind,
        ErrorKind::DeadlineExceeded
    );
    assert_eq!(pair.running(), 1);
    assert_eq!(pair.call("echo", None).await.expect("answered").result, "params");
    until(|| pair.running() == 0).await;
}

#[tokio::test]
async fn half_a_frame_ends_the_connection() {
    let running = Arc::default();
    let (connection, mut intake, _outlet) =
        Connection::carried(Limits::default(), callee(&running));
    let mut message = Vec::new();
    Frame::Ping { nonce: 1 }.encode(&mut message);
    message.pop();
    let closed = intake.take(message.into()).await.expect_err("not whole");
    assert!(matches!(closed, Closed::Protocol(_)));
    assert!(connection.is_closed());
}

#[tokio::test]
async fn what_was_given_to_the_carrier_may_have_run_and_the_rest_did_not() {
    let running = Arc::default();
    let (connection, intake, mut outlet) = Connection::carried(Limits::default(), callee(&running));
    let sent = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call(request("echo", "", None)).await }
    });
    assert!(outlet.next().await.is_some());
    let unsent = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call(request("echo", "", None)).await }
    });
    until(|| connection.in_flight() == 2).await;
    connection.fail(&Closed::There);
    let kind = |answer: Result<Result<Reply, CallError>, _>| {
        answer.expect("no panic").expect_err("the connection is lost").kind
    };
    assert_eq!(kind(sent.await), ErrorKind::Interrupted);
    assert_eq!(kind(unsent.await), ErrorKind::Unavailable);
    drop(intake);
}
