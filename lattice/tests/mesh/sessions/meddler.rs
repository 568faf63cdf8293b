//! An attacker on the line between a host and NATS, who takes single messages away or says them in another order.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use wattle_core::ErrorKind;
use wattle_wire::Body;

use super::party::{Account, Party};
use crate::scene::Scene;

/// Calls at once, and how often.
const AT_ONCE: usize = 16;
const TIMES: usize = 40;
/// What the caller's host gives a call.
const DEADLINE: Duration = Duration::from_secs(2);

/// What is done to messages between hosts that a host is to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meddling {
    None,
    /// Each message comes after the one behind it, if there is one soon.
    Swap,
    /// Of so many messages one is missing.
    TakeAway(usize),
}

/// A line to a server that somebody else holds; it ends with the test.
struct Meddler {
    address: String,
    doing: watch::Sender<Meddling>,
}

impl Meddler {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (doing, state) = watch::channel(Meddling::None);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, state) = (server.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let (mut from_client, to_client) = client.into_split();
                    let (from_server, mut to_server) = server.into_split();
                    // An error is the end of either, and so of the line.
                    let _ = tokio::join!(
                        tokio::io::copy(&mut from_client, &mut to_server),
                        meddle(BufReader::new(from_server), to_client, state)
                    );
                });
            }
        });
        Self { address, doing }
    }
}

/// NATS's own protocol: a line, and for `MSG` and `HMSG` so many bytes behind it as the line's last word says.
async fn meddle(
    mut from: impl AsyncBufReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    doing: watch::Receiver<Meddling>,
) -> std::io::Result<()> {
    const SOON: Duration = Duration::from_millis(5);
    let mut held: Option<Vec<u8>> = None;
    let mut count = 0;
    loop {
        let next = said(&mut from);
        tokio::pin!(next);
        let one = match timeout(SOON, &mut next).await {
            Ok(one) => one?,
            Err(_) => {
                if let Some(late) = held.take() {
                    to.write_all(&late).await?;
                }
                next.await?
            }
        };
        if one.is_empty() {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&one[..one.len().min(200)]).into_owned();
        let is_of_hosts =
            line.contains("MSG ") && (line.contains(".call.") || line.contains(".reply."));
        count += usize::from(is_of_hosts);
        match *doing.borrow() {
            Meddling::TakeAway(each) if is_of_hosts && count % each == 0 => continue,
            Meddling::Swap if is_of_hosts && held.is_none() => {
                held = Some(one);
                continue;
            }
            _ => {}
        }
        to.write_all(&one).await?;
        if let Some(late) = held.take() {
            to.write_all(&late).await?;
        }
    }
}

/// The next thing that the server says, whole; empty at the end.
async fn said(from: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut one = Vec::new();
    from.read_until(b'\n', &mut one).await?;
    if one.starts_with(b"MSG ") || one.starts_with(b"HMSG ") {
        let line = String::from_utf8_lossy(&one).into_owned();
        let len: usize = line.split_whitespace().next_back().unwrap().parse().unwrap();
        let start = one.len();
        one.resize(start + len + 2, 0);
        from.read_exact(&mut one[start..]).await?;
    }
    Ok(one)
}

struct Attacked {
    _scene: Scene,
    meddler: Meddler,
    here: Party,
    there: Party,
}

impl Attacked {
    async fn begin() -> Self {
        let scene = Scene::start().await;
        let address = scene.nats.url().rsplit('/').next().unwrap().to_owned();
        let meddler = Meddler::before(address).await;
        let account = Account::new();
        let here = account.host_at(&scene, &meddler.address).await;
        let there = account.host_at(&scene, &meddler.address).await;
        here.call(&there, "echo", b"", None).await.unwrap();
        Self { _scene: scene, meddler, here, there }
    }

    /// How many of many calls were answered; what they were told is right, and none ran twice.
    async fn call(&self) -> usize {
        let before = self.there.callee.calls();
        let mut good = 0;
        for _ in 0..TIMES {
            let calls = (0..AT_ONCE).map(|number| async move {
                let params = number.to_string().into_bytes();
                let answer = timeout(DEADLINE, self.here.call(&self.there, "echo", &params, None));
                match answer.await {
                    Ok(Ok(reply)) => assert_eq!(reply.result, params),
                    Ok(Err(error)) => {
                        assert!(
                            matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Unavailable),
                            "{error}"
                        );
                        return 0;
                    }
                    Err(_) => return 0,
                }
                1
            });
            good += join_all(calls).await.into_iter().sum::<usize>();
        }
        let ran = self.there.callee.calls() - before;
        assert!((good..=TIMES * AT_ONCE).contains(&ran), "{ran} ran, {good} were answered");
        good
    }

    /// A long body there and back: whether it came whole, and never anything else.
    async fn stream(&self) -> bool {
        const PIECE: &[u8] = &[7; 30_000];
        const PIECES: usize = 200;
        let (mut sender, body) = Body::channel();
        let sending = tokio::spawn(async move {
            for _ in 0..PIECES {
                if sender.send(Bytes::from_static(PIECE)).await.is_err() {
                    return;
                }
            }
            sender.finish(None);
        });
        let streamed = async {
            let reply = self.here.call(&self.there, "echo", b"", Some(body)).await.ok()?;
            reply.body?.collect(PIECE.len() * PIECES + 1).await.ok()
        };
        let streamed = timeout(DEADLINE * 5, streamed).await.ok().flatten();
        sending.abort();
        let whole = streamed.as_ref().is_some_and(|bytes| bytes.len() == PIECE.len() * PIECES);
        assert!(whole || streamed.is_none(), "short, and it was not said");
        whole
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_another_order_is_understood_all_the_same() {
    let attacked = Attacked::begin().await;
    attacked.meddler.doing.send_replace(Meddling::Swap);
    assert_eq!(attacked.call().await, TIMES * AT_ONCE);
    attacked.stream().await; // whole, or lost and said so
    assert_eq!((attacked.here.refused(), attacked.there.refused()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_missed_and_nothing_is_done_twice() {
    let attacked = Attacked::begin().await;
    attacked.meddler.doing.send_replace(Meddling::TakeAway(20));
    let good = attacked.call().await;
    println!("{good} of {} calls were answered", TIMES * AT_ONCE);
    assert!(good > TIMES * AT_ONCE / 2, "{good}");
    assert!(!attacked.stream().await, "400 messages, of which 20 were missing");
    attacked.meddler.doing.send_replace(Meddling::None);
    assert_eq!(attacked.call().await, TIMES * AT_ONCE);
    assert!(attacked.stream().await);
}
