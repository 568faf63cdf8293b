//! What is measured over NATS: Wattle on two hosts, and two processes that ask and answer without Wasm.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result};

use super::{Contestant, RUNTIMES, Running, free_port, link_to_redis, serve, wait_for};
use crate::{lattice::Lattice, repository::Repository};

/// Those that meet over one NATS, and their processes.
pub(super) struct Apart {
    pub(super) contestants: Vec<Contestant>,
    pub(super) children: Vec<Running>,
}

/// http-server and the counter on the first host; hello and the counter's store on the second.
pub(super) fn start(
    repository: &Repository,
    lattice: &Lattice<'_>,
    folder: &Path,
    redis_url: &str,
    redis_process: (String, u32),
) -> Result<Apart> {
    let second = Running(lattice.second_host(&folder.join("second"), "second")?);
    let second_process = ("second host".to_owned(), second.0.id());
    lattice.tell(&["start", "provider", "http-server"])?;
    lattice.tell(&["start", "provider", "keyvalue-redis", "--host", "second"])?;
    let hello = serve(repository, lattice, "examples/http-hello", &["--host", "second"])?;
    let counter = serve(repository, lattice, "examples/keyvalue-counter", &[])?;
    link_to_redis(lattice, redis_url)?;
    let mut own = lattice.processes()?;
    own.push(lattice.nats_process()?);
    own.push(second_process);
    let mut with_redis = own.clone();
    with_redis.push(redis_process);
    let mut apart = twins(repository, lattice)?;
    apart.children.push(second);
    apart.contestants.extend([
        Contestant { id: "d", variant: "", url: hello, processes: own },
        Contestant { id: "i", variant: "", url: counter, processes: with_redis },
    ]);
    Ok(apart)
}

/// One that asks, in both arrangements of its threads, and one that answers.
fn twins(repository: &Repository, lattice: &Lattice<'_>) -> Result<Apart> {
    let nats = lattice.nats_url()?;
    let twin = || Ok::<_, anyhow::Error>(repository.command(repository.binary("wattle-twin")?));
    let mut echo = twin()?;
    echo.args(["echo", "--nats", &nats]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut echo = Running(echo.spawn().context("starting wattle-twin")?);
    let said = echo.0.stdout.take().context("the echo has a stdout")?;
    let mut listening = String::new();
    BufReader::new(said).read_line(&mut listening).context("waiting for the echo")?;
    let (echo_process, nats_process) = (("echo".to_owned(), echo.0.id()), lattice.nats_process()?);
    let mut apart = Apart { contestants: Vec::new(), children: vec![echo] };
    for runtime in RUNTIMES {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut asker = twin()?;
        asker.args(["nats", "--runtime", runtime, "--nats", &nats]);
        asker.args(["--listen", &address.to_string()]).stdin(Stdio::null());
        let mut asker = asker.spawn().context("starting wattle-twin")?;
        wait_for(&mut asker, address)?;
        let processes =
            vec![("twin".to_owned(), asker.id()), echo_process.clone(), nats_process.clone()];
        apart.children.push(Running(asker));
        let url = format!("http://{address}/hits");
        apart.contestants.push(Contestant { id: "g", variant: runtime, url, processes });
    }
    Ok(apart)
}
