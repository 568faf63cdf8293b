//! Many threads, calls and streams at once, given up at every point: nothing may be left over.

use super::*;

/// Rounds of each task; each makes a call in one of the ways below.
const ROUNDS: usize = 200;
const TASKS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_given_up_at_any_point_leave_nothing_behind() {
    let (here, there) = End::pair();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            // Both ends call.
            let end = if task % 2 == 0 { &here } else { &there };
            let connection = end.connection.clone();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    one(&connection, task * ROUNDS + round).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let idle =
        || [&here, &there].iter().all(|end| end.connection.in_flight() == 0 && end.running() == 0);
    until(idle).await;
    assert!(here.call("echo", "x").await.is_ok());
    assert!(there.call("echo", "x").await.is_ok());
    assert_eq!(here.connection.jobs(), 0);
    assert_eq!(there.connection.jobs(), 0);
}

async fn one(connection: &Connection, seed: usize) {
    let len = [0, 10, 20_000, 300_000][seed % 4];
    let (mut sender, body) = Body::channel();
    let writer = tokio::spawn(async move {
        let mut left = len;
        while left > 0 {
            let chunk = left.min(7_000);
            if sender.send(Bytes::from(vec![1; chunk])).await.is_err() {
                return;
            }
            left -= chunk;
        }
        sender.finish(None);
    });
    let head = ["echo", "later", "ignore", "fail", "never", "count"][seed % 6];
    let call = connection.call(request(head, "p", Some(body)));
    let patience = Patience(seed % 40);
    let reply = tokio::select! {
        reply = call => reply,
        () = patience => return,
    };
    if let Ok(Reply { body: Some(mut body), .. }) = reply {
        if seed.is_multiple_of(5) {
            return drop(body);
        }
        let got = body.collect(usize::MAX).await.expect("whole");
        assert_eq!(got.len(), len);
    }
    writer.await.expect("no panic");
}

/// Ready after being polled a number of times.
struct Patience(usize);

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
