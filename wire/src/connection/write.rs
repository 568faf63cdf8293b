//! The task that writes: whatever everyone queued since it last ran goes out in one piece.

use std::{future::poll_fn, io::ErrorKind, sync::Arc, time::Duration};

use tokio::{net::unix::OwnedWriteHalf, time::timeout};

use super::{
    Closed,
    output::{Work, reuse},
    shared::Shared,
};

/// How long a connection that this side closes waits for the other to take what is still queued.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Writes until the connection ends, and says why it did.
pub(super) async fn run(shared: Arc<Shared>, socket: OwnedWriteHalf) -> Closed {
    let mut output = Vec::new();
    loop {
        match poll_fn(|cx| shared.poll_work(cx, &mut output)).await {
            Work::Close => return Closed::Here,
            Work::Write if shared.is_closing() => {
                // Whatever comes of it, this side closes.
                let _ = timeout(CLOSE_WAIT, write_all(&shared, &socket, &output)).await;
                return Closed::Here;
            }
            Work::Write => {
                if let Err(closed) = write_all(&shared, &socket, &output).await {
                    return closed;
                }
            }
        }
        reuse(&mut output);
    }
}

async fn write_all(shared: &Shared, socket: &OwnedWriteHalf, output: &[u8]) -> Result<(), Closed> {
    let mut rest = output;
    while !rest.is_empty() {
        match socket.try_write(rest) {
            Ok(len) => {
                rest = &rest[len..];
                shared.wrote(len);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                socket.writable().await.map_err(|error| Closed::Socket(error.kind()))?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Closed::There,
                    kind => Closed::Socket(kind),
                });
            }
        }
    }
    Ok(())
}
