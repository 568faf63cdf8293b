//! Leads connections to an address of the machine that it runs on. The socket that it accepts them at is its standard input, and may
//! be another machine's: a socket stays in the network that it was made in.

use std::{
    env,
    io::{self, Error},
    net::TcpListener,
    os::fd::{AsFd, OwnedFd},
};

use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).ok_or_else(|| Error::other("where does it lead?"))?;
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (mut outside, _) = listener.accept().await?;
        let address = address.clone();
        tokio::spawn(async move {
            // An error of either end is the end of both, and each sees that.
            if let Ok(mut inside) = TcpStream::connect(address).await {
                let _: io::Result<_> =
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
