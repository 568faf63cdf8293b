//! A line between a host and its NATS that a test cuts, stalls and slows down.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It carries everything at once.
    Open,
    /// It carries everything, so much later in each direction.
    Slow(Duration),
    /// It carries nothing, and says nothing about it: what a partition looks like to both ends.
    Dead,
    /// It ends every connection that there is, and every new one.
    Cut,
}

/// A TCP proxy on loopback; it ends on drop.
pub struct Proxy {
    address: String,
    line: watch::Sender<Line>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A line to `server` (`host:port`).
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it listens").to_string();
        let (line, state) = watch::channel(Line::Open);
        let server = server.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), state.clone()));
            }
        });
        Self { address, line, task }
    }

    /// Where to connect instead of the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Changes what the line does, for connections that there are too.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.line.send_replace(Line::Cut);
    }
}

async fn carry(client: TcpStream, server: String, mut line: watch::Receiver<Line>) {
    if *line.borrow() == Line::Cut || passable(&mut line).await.is_none() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    for socket in [&client, &server] {
        // What is measured is not how the kernel waits for more to send.
        let _: Result<(), std::io::Error> = socket.set_nodelay(true);
    }
    let ((client_in, client_out), (server_in, server_out)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(client_in, server_out, line.clone()) => {}
        () = copy(server_in, client_out, line.clone()) => {}
        () = cut(&mut line) => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut line: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Some(delay) = passable(&mut line).await {
        let Ok(len @ 1..) = from.read(&mut buffer).await else { return };
        sleep(delay).await;
        // The line may have died under way.
        if passable(&mut line).await.is_none() || to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

/// Waits until the line carries something, and says how late; none when it is cut.
async fn passable(line: &mut watch::Receiver<Line>) -> Option<Duration> {
    let state = *line.wait_for(|line| *line != Line::Dead).await.ok()?;
    match state {
        Line::Open => Some(Duration::ZERO),
        Line::Slow(delay) => Some(delay),
        Line::Dead | Line::Cut => None,
    }
}

async fn cut(line: &mut watch::Receiver<Line>) {
    // An end of the channel is the end of the test.
    let _: Result<_, _> = line.wait_for(|line| *line == Line::Cut).await;
}
