//! What is measured over PostgreSQL: Wattle, and one process that asks it itself through as many connections.

use std::{
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{Contestant, RUNTIMES, Running, free_port, serve, wait_for};
use crate::{
    lattice::Lattice,
    repository::{Repository, pause, run},
};

/// How long a PostgreSQL may take to end in order, in hundredths of a second.
const END_MAX: u32 = 500;

/// Connections that either may have.
const POOL: &str = "8";

const GUEST: &str = "testing/guests/ledger";

/// Those that ask one PostgreSQL, and their processes.
pub(super) struct Asking {
    pub(super) contestants: Vec<Contestant>,
    pub(super) children: Vec<Running>,
    pub(super) database: Database,
}

/// A running PostgreSQL. It ends in order with this, so that none of its shared memory is left to the machine.
pub(crate) struct Database(Child);

impl Drop for Database {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone and reaped after this.
        let _: Result<_, std::io::Error> =
            Command::new("kill").args(["-QUIT", &self.0.id().to_string()]).status();
        for _ in 0..END_MAX {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            pause(std::time::Duration::from_millis(10));
        }
        let _: Result<(), std::io::Error> = self.0.kill();
        let _: Result<_, std::io::Error> = self.0.wait();
    }
}

/// The actor on a host of its own, whose link also makes the table; then the twins.
pub(super) fn start(
    repository: &Repository,
    lattice: &Lattice<'_>,
    folder: &Path,
) -> Result<Asking> {
    let port = free_port()?;
    let database = start_postgres(repository, folder, port)?;
    let mut children = Vec::new();
    let url = format!("postgres://wattle@127.0.0.1:{port}/postgres");
    lattice.tell(&["up", "-d"])?;
    lattice.tell(&["start", "provider", "http-server"])?;
    lattice.tell(&["start", "provider", "sql-postgres"])?;
    let served = serve(repository, lattice, GUEST, &[])?;
    let migrations = repository.file(GUEST).join("migrations");
    let target = [
        format!("url={url}"),
        format!("pool_size={POOL}"),
        format!("migrations={}", migrations.canonicalize()?.display()),
    ];
    let mut put = vec!["link", "put", "ledger", "sql-postgres"];
    put.push("wasmcloud:postgres/query,wasmcloud:postgres/prepared");
    put.extend(target.iter().flat_map(|setting| ["--target", setting.as_str()]));
    lattice.tell(&put)?;
    let processes: Vec<_> = lattice
        .processes()?
        .into_iter()
        .filter(|(name, _)| ["host", "http-server", "sql-postgres"].contains(&name.as_str()))
        .collect();
    let mut contestants = rows("", &served, ["j", "l"], &processes);
    for runtime in RUNTIMES {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut twin = repository.command(repository.binary("wattle-twin")?);
        twin.args(["postgres", "--runtime", runtime, "--postgres", &url, "--pool", POOL]);
        twin.args(["--listen", &address.to_string()]).stdin(Stdio::null());
        let mut twin = twin.spawn().context("starting wattle-twin")?;
        wait_for(&mut twin, address)?;
        let processes = [("twin".to_owned(), twin.id())];
        children.push(Running(twin));
        contestants.extend(rows(runtime, &format!("http://{address}/"), ["k", "m"], &processes));
    }
    Ok(Asking { contestants, children, database })
}

/// A query, and a prepared statement, at the same server.
fn rows(
    variant: &'static str,
    url: &str,
    ids: [&'static str; 2],
    processes: &[(String, u32)],
) -> Vec<Contestant> {
    let root = url.rsplit_once('/').map_or(url, |(root, _)| root);
    let each = ids.into_iter().zip(["query", "prepared"]);
    each.map(|(id, path)| Contestant {
        id,
        variant,
        url: format!("{root}/{path}"),
        processes: processes.to_vec(),
    })
    .collect()
}

fn start_postgres(repository: &Repository, folder: &Path, port: u16) -> Result<Database> {
    let data = folder.join("postgres");
    let mut initdb = program(repository, "initdb")?;
    initdb.args([
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "-U",
        "wattle",
        "-D",
    ]);
    run(initdb.arg(&data).stdout(Stdio::null()))?;
    let mut postgres = program(repository, "postgres")?;
    postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]);
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut database = Database(postgres.spawn().context("starting postgres")?);
    wait_for(&mut database.0, SocketAddr::from(([127, 0, 0, 1], port)))?;
    Ok(database)
}

/// PostgreSQL does not run as root; as another user of a namespace of its own it does, with root's files.
fn program(repository: &Repository, name: &str) -> Result<Command> {
    let path = repository.which(name).with_context(|| format!("{name} is not installed"))?;
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(repository.command(path));
    }
    let mut command = repository.command("unshare");
    command.args(["--user", "--map-user=1000", "--"]).arg(path);
    Ok(command)
}
