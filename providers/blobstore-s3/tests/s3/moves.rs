//! Moves while somebody else writes: what was acknowledged is never deleted with what was moved.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};
use wattle_blobstore::{Failure, wire::ObjectId};
use wattle_core::Constraints;

use super::{Store, get, link, put};

/// Bytes that are handed on at once: more than a request's head has.
const CHUNK_LEN: usize = 64 * 1024;

/// Copies that may be held up at once: there is one for each test.
const HELD_MAX: usize = 8;

/// Where a copy is held up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    AheadOfTheCopy,
    AheadOfItsAnswer,
}

/// A way to the server on which copies are held up until the test lets them go.
struct Gate {
    endpoint: String,
    copies: mpsc::Receiver<oneshot::Sender<()>>,
}

impl Gate {
    async fn start(server: u16, held: Held) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (copy, copies) = mpsc::channel(HELD_MAX);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.expect("it listens");
                tokio::spawn(hand_on(client, server, held, copy.clone()));
            }
        });
        Self { endpoint, copies }
    }
}

/// Hands on requests and answers until either side hangs up.
async fn hand_on(
    mut client: TcpStream,
    mut server: TcpStream,
    held: Held,
    copies: mpsc::Sender<oneshot::Sender<()>>,
) {
    let (mut asked, mut answered) = (vec![0; CHUNK_LEN], vec![0; CHUNK_LEN]);
    let mut holds_answer = false;
    loop {
        let handed_on = tokio::select! {
            len = client.read(&mut asked) => {
                let request = &asked[..len.unwrap_or(0)];
                let copies_some = String::from_utf8_lossy(request).contains("x-amz-copy-source:");
                holds_answer |= copies_some && held == Held::AheadOfItsAnswer;
                if copies_some && held == Held::AheadOfTheCopy {
                    let_go(&copies).await;
                }
                server.write_all(request).await.is_ok() && !request.is_empty()
            }
            len = server.read(&mut answered) => {
                let answer = &answered[..len.unwrap_or(0)];
                if std::mem::take(&mut holds_answer) {
                    let_go(&copies).await;
                }
                client.write_all(answer).await.is_ok() && !answer.is_empty()
            }
        };
        if !handed_on {
            return;
        }
    }
}

async fn let_go(copies: &mpsc::Sender<oneshot::Sender<()>>) {
    let (go, gone) = oneshot::channel();
    copies.send(go).await.expect("the test waits for it");
    gone.await.expect("the test lets it go");
}

/// Moves `first` to `second`, and writes `first` anew while the copy is held up.
async fn moved_while_written(held: Held) -> (Store, Result<(), Failure>) {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c-1").await.expect("made");
    put(&caller, "c-1", "first", "the old one").await.expect("written");
    let mut gate = Gate::start(store.server.port(), held).await;
    let mut settings = store.server.settings();
    settings.insert("endpoint".to_owned(), gate.endpoint.clone());
    let mover = link::caller(&store.host, Constraints::new(), settings).await;
    let (src, dest) = (ObjectId::new("c-1", "first"), ObjectId::new("c-1", "second"));
    let writing = async {
        let go = gate.copies.recv().await.expect("a copy");
        put(&caller, "c-1", "first", "the new one").await.expect("written");
        go.send(()).expect("it is held up");
    };
    let (moved, ()) = tokio::join!(mover.move_object(src, dest), writing);
    (store, moved)
}

#[tokio::test]
async fn an_object_written_ahead_of_the_copy_of_a_move_is_left_alone() {
    let (store, moved) = moved_while_written(Held::AheadOfTheCopy).await;
    assert!(matches!(moved, Err(Failure::Store(_))), "{moved:?}");
    let caller = store.caller().await;
    assert_eq!(get(&caller, "c-1", "first").await.as_deref(), Ok("the new one"));
    assert_eq!(caller.has_object("c-1", "second").await, Ok(false));
}

#[tokio::test]
async fn an_object_written_behind_the_copy_of_a_move_is_not_deleted() {
    let (store, moved) = moved_while_written(Held::AheadOfItsAnswer).await;
    assert!(matches!(moved, Err(Failure::Store(_))), "{moved:?}");
    let caller = store.caller().await;
    assert_eq!(get(&caller, "c-1", "first").await.as_deref(), Ok("the new one"));
    assert_eq!(get(&caller, "c-1", "second").await.as_deref(), Ok("the old one"));
}
