//! Who is measured: Wattle, and one process that does the same.

mod apart;
mod postgres;

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build,
    lattice::Lattice,
    repository::{Repository, poll},
};

/// A server is up within this time, or it never will be.
const START_MAX: Duration = Duration::from_secs(20);

/// Something that answers at a URL, and the processes that it takes.
pub(crate) struct Contestant {
    /// The row's letter.
    pub(crate) id: &'static str,
    /// How its threads are arranged; empty where there is only one way.
    pub(crate) variant: &'static str,
    pub(crate) url: String,
    /// By name, the load generator excepted.
    pub(crate) processes: Vec<(String, u32)>,
}

/// All of them, and those of their processes that end with this value. The lattices are the scratch folder's to stop.
pub(crate) struct Field {
    pub(crate) contestants: Vec<Contestant>,
    _children: Vec<Running>,
    _database: Option<postgres::Database>,
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone and reaped after this.
        let _: Result<(), std::io::Error> = self.0.kill();
        let _: Result<_, std::io::Error> = self.0.wait();
    }
}

/// A twin of the benchmark: `wattle-twin WHAT`.
struct Twin {
    id: &'static str,
    what: &'static str,
    component: Option<&'static str>,
    redis: bool,
}

const TWINS: [Twin; 4] = [
    Twin { id: "a", what: "hyper", component: None, redis: false },
    Twin { id: "b", what: "component", component: Some("examples/http-hello"), redis: false },
    Twin { id: "f", what: "component", component: Some("examples/keyvalue-counter"), redis: true },
    Twin { id: "h", what: "redis", component: None, redis: true },
];

const RUNTIMES: [&str; 2] = ["lanes", "multi"];

impl Field {
    /// Starts those whose letters are in `only`.
    pub(crate) fn start(repository: &Repository, folder: &Path, only: &str) -> Result<Self> {
        let redis_port = free_port()?;
        let redis = Running(start_redis(repository, redis_port)?);
        let redis_process = ("redis".to_owned(), redis.0.id());
        let redis_url = format!("redis://127.0.0.1:{redis_port}");
        let mut children = vec![redis];
        let mut contestants = Vec::new();
        for twin in TWINS.iter().filter(|twin| only.contains(twin.id)) {
            for runtime in RUNTIMES {
                let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
                let child = Running(twin.start(repository, runtime, address, &redis_url)?);
                let mut processes = vec![("twin".to_owned(), child.0.id())];
                children.push(child);
                processes.extend(twin.redis.then(|| redis_process.clone()));
                let url = format!("http://{address}/hits");
                contestants.push(Contestant { id: twin.id, variant: runtime, url, processes });
            }
        }
        for name in ["together", "apart", "asking"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        if only.contains(['c', 'e']) {
            let lattice = Lattice::in_folder(repository, &folder.join("together"));
            contestants.extend(start_wattle(
                repository,
                &lattice,
                &redis_url,
                redis_process.clone(),
            )?);
        }
        if only.contains(['d', 'g', 'i']) {
            let lattice = Lattice::in_folder(repository, &folder.join("apart"));
            lattice.tell(&["up", "-d"])?;
            let apart = apart::start(repository, &lattice, folder, &redis_url, redis_process)?;
            contestants.extend(apart.contestants);
            children.extend(apart.children);
        }
        let mut database = None;
        if only.contains(['j', 'k', 'l', 'm']) {
            let lattice = Lattice::in_folder(repository, &folder.join("asking"));
            let asking = postgres::start(repository, &lattice, folder)?;
            contestants.extend(asking.contestants);
            children.extend(asking.children);
            database = Some(asking.database);
        }
        contestants.retain(|contestant| only.contains(contestant.id));
        contestants.sort_by_key(|contestant| contestant.id);
        Ok(Self { contestants, _children: children, _database: database })
    }
}

impl Twin {
    fn start(
        &self,
        repository: &Repository,
        runtime: &str,
        address: SocketAddr,
        redis: &str,
    ) -> Result<Child> {
        let mut command = repository.command(repository.binary("wattle-twin")?);
        command.arg(self.what).args(["--runtime", runtime, "--listen", &address.to_string()]);
        if let Some(package) = self.component {
            command.arg("--component").arg(build::component(repository, package)?);
        }
        if self.redis {
            command.args(["--redis", redis]);
        }
        let mut child = command.stdin(Stdio::null()).spawn().context("starting wattle-twin")?;
        wait_for(&mut child, address)?;
        Ok(child)
    }
}

fn start_redis(repository: &Repository, port: u16) -> Result<Child> {
    let redis = repository.which("redis-server").context("redis-server is not installed")?;
    let mut child = repository
        .command(redis)
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting redis-server")?;
    wait_for(&mut child, SocketAddr::from(([127, 0, 0, 1], port)))?;
    Ok(child)
}

fn wait_for(child: &mut Child, address: SocketAddr) -> Result<()> {
    poll(&format!("a server at {address}"), START_MAX, || {
        if let Some(status) = child.try_wait()? {
            bail!("the server for {address} ended: {status}");
        }
        Ok(TcpStream::connect(address).ok().map(drop))
    })
}

/// Both examples on one host, each at an address of its own.
fn start_wattle(
    repository: &Repository,
    lattice: &Lattice<'_>,
    redis_url: &str,
    redis_process: (String, u32),
) -> Result<Vec<Contestant>> {
    lattice.tell(&["up", "-d"])?;
    lattice.tell(&["start", "provider", "http-server"])?;
    lattice.tell(&["start", "provider", "keyvalue-redis"])?;
    let mut urls = Vec::new();
    for package in build::EXAMPLES {
        urls.push(serve(repository, lattice, package, &[])?);
    }
    link_to_redis(lattice, redis_url)?;
    let all = lattice.processes()?;
    let pick = |names: &[&str]| {
        all.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect::<Vec<_>>()
    };
    let mut counter = pick(&["host", "http-server", "keyvalue-redis"]);
    counter.push(redis_process);
    let [hello_url, counter_url] = urls.try_into().map_err(|_| anyhow::anyhow!("two examples"))?;
    Ok(vec![
        Contestant {
            id: "c",
            variant: "",
            url: hello_url,
            processes: pick(&["host", "http-server"]),
        },
        Contestant { id: "e", variant: "", url: counter_url, processes: counter },
    ])
}

/// Builds and starts an example, with further arguments to `wattle start actor`, and serves it at a URL of its own.
fn serve(
    repository: &Repository,
    lattice: &Lattice<'_>,
    package: &str,
    arguments: &[&str],
) -> Result<String> {
    let name = package.rsplit('/').next().unwrap_or(package);
    lattice.tell(&["build", package])?;
    let signed = build::component(repository, package)?.to_string_lossy().into_owned();
    lattice.tell(&[&["start", "actor", &signed, "--id", name], arguments].concat())?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let setting = format!("address={address}");
    let http = "wasi:http/incoming-handler";
    lattice.tell(&["link", "put", "http-server", name, http, "--source", &setting])?;
    Ok(format!("http://{address}/hits"))
}

fn link_to_redis(lattice: &Lattice<'_>, redis_url: &str) -> Result<()> {
    let contracts = "wasi:keyvalue/store,wasi:keyvalue/atomics";
    let url = format!("url={redis_url}");
    let put = ["link", "put", "keyvalue-counter", "keyvalue-redis", contracts, "--target", &url];
    lattice.tell(&put).map(drop)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
