//! The S3 server that blobstore-s3's tests talk to: a folder of buckets behind the real protocol, on a port of loopback.
//!
//! `wattle-s3-server FOLDER PORT KEY SECRET`: port 0 is any free one. Once it listens, it says on which.

use std::{io, path::Path};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    // A test that is killed cannot stop its server.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, port, key, secret] = &*arguments else {
        return Err(io::Error::other("usage: wattle-s3-server FOLDER PORT KEY SECRET"));
    };
    let buckets = FileSystem::new(Path::new(folder))
        .map_err(|error| io::Error::other(format!("{folder}: {error:?}")))?;
    let mut service = S3ServiceBuilder::new(buckets);
    service.set_auth(SimpleAuth::from_single(key.clone(), secret.clone()));
    let service = service.build();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            // Whoever hangs up has had its answer or does not want it.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
