//! Sessions: what a changed link has in hand, and how one ends whose broker is out of reach.

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use wattle_core::provider::Side;

use crate::{
    host::{Actor, actor},
    kept::{host_at, host_in},
    scene::{PATIENCE, Received, host, pairs},
    server::{LOOK_PAUSE, Server, free_port},
};

/// Enough that a session that is left over would get some of them.
const MESSAGES: usize = 50;

/// The way to a broker, which can be cut while the broker goes on.
struct Line {
    port: u16,
    broker: u16,
    carries: JoinHandle<()>,
}

impl Line {
    async fn to(server: &Server) -> Self {
        let (port, broker) = (free_port(), server.port());
        Self { port, broker, carries: carry(port, broker).await }
    }

    fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Ends all connections over it, and takes no more.
    async fn cut(&mut self) {
        self.carries.abort();
        let _ = (&mut self.carries).await; // it was told to end
    }

    async fn mend(&mut self) {
        self.carries = carry(self.port, self.broker).await;
    }
}

async fn carry(port: u16, broker: u16) -> JoinHandle<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
    tokio::spawn(async move {
        let mut connections = JoinSet::new(); // they end with this
        loop {
            let (mut client, _) = listener.accept().await.expect("a client");
            connections.spawn(async move {
                let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)).await;
                let _ = copy_bidirectional(&mut client, &mut broker.expect("it is up")).await; // either end may go
            });
        }
    })
}

/// An actor that does not answer before it may, as often as it may.
fn held_back(answers: Actor) -> (Actor, Arc<Semaphore>) {
    let go_on = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&go_on);
    let held = actor(move |message| {
        let (gate, answer) = (Arc::clone(&gate), answers(message));
        async move {
            gate.acquire().await.expect("open").forget();
            answer.await
        }
    });
    (held, go_on)
}

#[tokio::test]
async fn a_session_that_could_not_end_ends_later_and_takes_nobody_s_messages() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let mut line = Line::to(&server).await;
    let config = pairs(&[("subscriptions", "a")]);
    let mut first = host_at(&dir, &line.url()).await;
    let link = first.handler(config.clone(), Received::all().0).await.expect("a link");
    line.cut().await;
    first.delete(link).await;
    first.kill().await;

    line.mend().await;
    let second = host_at(&dir, &line.url()).await;
    let leaving = dir.path().join("leaving");
    let ended = async {
        while fs::read_dir(&leaving).expect("it was written down").next().is_some() {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the broker hears of it");
    let (actor, mut received) = Received::all();
    for _ in 1..link {
        second.next(); // so that the link is the same
    }
    second.handler(config, actor).await.expect("a link");
    let sending = host(&server).await;
    let sender = sending.sender([].into(), pairs(&[])).await.expect("a link");
    for number in 0..MESSAGES {
        sender.publish("a", number.to_string().as_bytes(), None).await.expect("it is kept");
    }
    let mut came = BTreeSet::new();
    while came.len() < MESSAGES {
        came.insert(received.text().await);
    }
}

#[tokio::test]
async fn what_is_with_the_actor_when_its_link_is_changed_is_not_given_to_it_twice() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let (answers, mut begun) = Received::all();
    let (held, go_on) = held_back(answers);
    let of = |keep_alive| pairs(&[("subscriptions", "a"), ("keep_alive_sec", keep_alive)]);
    let link = host.handler(of("5"), held).await.expect("a link");
    let sender = host.sender([].into(), pairs(&[])).await.expect("a link");
    sender.publish("a", b"first", None).await.expect("it is kept");
    assert_eq!(begun.text().await, "first");
    host.put(link, Side::Source, [].into(), of("6")).await.expect("it holds");
    sender.publish("a", b"second", None).await.expect("it is kept");
    assert_eq!(begun.text().await, "second", "the first is with the actor still");
    go_on.add_permits(2);
    host.drain().await;
    assert!(begun.now().is_none(), "each once");

    let next = host_in(&dir, &server).await;
    let (actor, mut received) = Received::all();
    for _ in 1..link {
        next.next(); // so that the link is the same
    }
    next.handler(of("6"), actor).await.expect("a link");
    let sender = next.sender([].into(), pairs(&[])).await.expect("a link");
    sender.publish("a", b"third", None).await.expect("it is kept");
    assert_eq!(received.text().await, "third", "the broker has heard of the others");
}

#[tokio::test]
async fn what_an_actor_refuses_after_its_link_was_changed_is_given_to_it_again() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let times = AtomicU32::new(0);
    let (answers, mut begun) = Received::by(move |_| match times.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(Err("not yet".into())),
        _ => Ok(Ok(())),
    });
    let (held, go_on) = held_back(answers);
    let of = |keep_alive| pairs(&[("subscriptions", "a"), ("keep_alive_sec", keep_alive)]);
    let link = host.handler(of("5"), held).await.expect("a link");
    let sender = host.sender([].into(), pairs(&[])).await.expect("a link");
    sender.publish("a", b"first", None).await.expect("it is kept");
    assert_eq!(begun.text().await, "first");
    host.put(link, Side::Source, [].into(), of("6")).await.expect("it holds");
    sender.publish("a", b"second", None).await.expect("it is kept");
    assert_eq!(begun.text().await, "second", "the broker has sent again what it sends again");
    go_on.add_permits(3);
    assert_eq!(begun.text().await, "first", "nobody else would give it again");
    host.drain().await;
    assert!(begun.now().is_none());
}
