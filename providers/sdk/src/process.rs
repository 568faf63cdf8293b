//! A provider's process: its sockets, its threads, its end.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as StdUnixStream},
    process::ExitCode,
    sync::{Arc, OnceLock},
    thread,
};

use bytes::Bytes;
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::{
    net::UnixStream,
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tracing::error;
use wattle_wire::{Closed, Connection, Limits, lanes};

use crate::{
    Provider,
    calls::Calls,
    control::{self, MESSAGES_MAX},
    host::{Host, Lane},
    telemetry,
};

/// No host started it.
const EXIT_NOT_BY_HAND: u8 = 2;

pub(crate) fn run<P: Provider>() -> ExitCode {
    match sockets() {
        Ok(sockets) => serve::<P>(sockets).unwrap_or_else(|error| {
            telemetry::say(&format!("the lanes cannot be set up: {error}"));
            ExitCode::FAILURE
        }),
        Err(error) => {
            telemetry::say(&format!(
                "this is a provider: it is not run by hand, `wattle start provider` has a host start it ({error})"
            ));
            ExitCode::from(EXIT_NOT_BY_HAND)
        }
    }
}

/// The host's sockets, the first lane's first.
fn sockets() -> io::Result<Vec<StdUnixStream>> {
    let first = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The end of the socket ends this process too, unless it hangs: then the kernel does it. Refused only by odd sandboxes.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let further = lanes::receive(&first)?;
    Ok([first].into_iter().chain(further.into_iter().map(StdUnixStream::from)).collect())
}

/// A lane's runtime with the future that drives its connection.
struct Driver<D> {
    runtime: Runtime,
    connection: D,
}

fn serve<P: Provider>(sockets: Vec<StdUnixStream>) -> io::Result<ExitCode> {
    let provider = Arc::new(OnceLock::<Arc<P>>::new());
    let (control, messages) = mpsc::channel(MESSAGES_MAX);
    let mut control = Some(control); // only the first lane's messages count
    let mut lanes = Vec::new();
    let mut drivers = Vec::new();
    for socket in sockets {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let calls = Arc::new(Calls::new(Arc::clone(&provider), control.take()));
        let (connection, driver) = connect(&runtime, socket, calls)?;
        lanes.push(Lane { connection, runtime: runtime.handle().clone() });
        drivers.push(Driver { runtime, connection: driver });
    }
    let host = Host::new(lanes);
    let mut drivers = drivers.into_iter();
    let first = drivers.next().expect("stdin is the first");
    let (ended, further_ended) = mpsc::channel(1);
    for (lane, driver) in (1..).zip(drivers) {
        let ended = ended.clone();
        thread::Builder::new().name(format!("lane-{lane}")).spawn(move || {
            Host::enter(lane);
            let closed = driver.runtime.block_on(driver.connection);
            let _ = ended.try_send(closed); // one is enough
        })?;
    }
    Ok(first_lane(first, host, provider, messages, further_ended))
}

fn connect<P: Provider>(
    runtime: &Runtime,
    socket: StdUnixStream,
    calls: Arc<Calls<P>>,
) -> io::Result<(Connection, impl Future<Output = Closed> + Send + 'static)> {
    let _inside = runtime.enter();
    socket.set_nonblocking(true)?;
    Ok(Connection::new(UnixStream::from_std(socket)?, Limits::default(), calls))
}

/// Drives the first lane, and the provider's life with it, until one of them or any other lane ends.
fn first_lane<P: Provider>(
    driver: Driver<impl Future<Output = Closed> + Send + 'static>,
    host: Host,
    provider: Arc<OnceLock<Arc<P>>>,
    messages: mpsc::Receiver<Bytes>,
    mut further_ended: mpsc::Receiver<Closed>,
) -> ExitCode {
    let Driver { runtime, connection } = driver;
    let code = runtime.block_on(async {
        let first = host.first().clone();
        let life = tokio::spawn(control::run(host, provider, messages));
        let connection = tokio::spawn(connection);
        let closed = tokio::select! {
            closed = connection => closed.unwrap_or(Closed::Here),
            Some(closed) = further_ended.recv() => closed,
            failed = life => {
                // It has said why; the host reads that before it sees the end.
                first.close();
                first.closed().await;
                return if matches!(failed, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            }
        };
        match closed {
            Closed::There | Closed::Here => ExitCode::SUCCESS,
            broken => {
                error!(error = %broken, "the connection to the host broke");
                ExitCode::FAILURE
            }
        }
    });
    runtime.shutdown_background(); // the host is gone: nothing is worth waiting for
    code
}
