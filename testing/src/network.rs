//! Machines with a network between them: each is a kernel network namespace of its own with one cable, and every packet passes
//! through this process, which loses and delays it as the cable says.
//!
//! It needs `unshare` and `nsenter` (util-linux), `ip` (iproute2), `socat` and `/dev/net/tun`; no root where the kernel lets users
//! have namespaces.

mod cables;

use std::{
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::task::JoinHandle;

pub use self::cables::Cable;
use self::cables::Cables;
use crate::{
    eventually,
    programs::{installed, program},
};

const START_MAX: Duration = Duration::from_secs(10);

/// The network: it and its machines end on drop.
pub struct Network {
    folder: TempDir,
    cables: Arc<Cables>,
    relay: JoinHandle<()>,
    machines: u8,
}

/// One machine: processes are started on it by its [`Place`].
pub struct Machine {
    address: Ipv4Addr,
    cables: Arc<Cables>,
    keeper: Child,
}

/// Where a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    #[default]
    Here,
    /// On a machine of a [`Network`], which this process keeps.
    There(u32),
}

/// An address of this machine that leads to one of another; closed on drop.
pub struct Door {
    address: String,
    process: Child,
}

impl Network {
    /// A network without machines.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wattle-net-").tempdir();
        let folder = folder.expect("a temporary folder");
        let cables = Arc::new(Cables::bind(&folder.path().join("relay")));
        let relay = tokio::spawn(Arc::clone(&cables).relay());
        Self { folder, cables, relay, machines: 0 }
    }

    /// A machine more.
    pub async fn machine(&mut self) -> Machine {
        self.machines += 1;
        let address = Ipv4Addr::new(10, 9, 0, self.machines);
        let end = self.folder.path().join(address.to_string());
        self.cables.attach(address, end.clone());
        let relay = self.folder.path().join("relay");
        let keeper = keeper(address, &relay, &end).spawn().expect("unshare starts");
        let machine = Machine { address, cables: Arc::clone(&self.cables), keeper };
        eventually("the machine has its address", START_MAX, async || {
            let mut ip = machine.place().command(installed("ip"));
            let said = ip.args(["-o", "-4", "addr"]).output().expect("ip starts");
            String::from_utf8_lossy(&said.stdout).contains(&address.to_string()).then_some(())
        })
        .await;
        machine
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

/// What holds a machine: one end of its cable.
fn keeper(address: Ipv4Addr, relay: &Path, end: &Path) -> Command {
    let mut command = Command::new(installed("unshare"));
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let cable = format!("TUN:{address}/24,up,iff-no-pi,tun-type=tun");
    let other = format!("UNIX-SENDTO:{},bind={}", relay.display(), end.display());
    command
        .args(["--net", "--", "sh", "-c", r#""$0" link set lo up && exec "$@""#])
        .args([installed("ip"), installed("socat")])
        .args([cable, other])
        .stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Machine {
    /// For processes that are to run on it.
    pub fn place(&self) -> Place {
        Place::There(self.keeper.id())
    }

    /// Its address in the network.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Changes what its cable does.
    pub fn set(&self, cable: Cable) {
        self.cables.set(self.address, cable);
    }

    /// Opens a way from this machine to a port of that one.
    pub fn door(&self, port: u16) -> Door {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens").to_string();
        let mut command = self.place().command(program("wattle-door"));
        command.arg(format!("127.0.0.1:{port}")).stdin(Stdio::from(OwnedFd::from(listener)));
        Door { address, process: command.spawn().expect("the door opens") }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.keeper);
    }
}

impl Place {
    /// A command that runs a program there.
    pub fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let Self::There(keeper) = self else { return Command::new(program) };
        let mut command = Command::new(installed("nsenter"));
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--net", "--target", &keeper.to_string(), "--"]).arg(program);
        command
    }
}

impl Door {
    /// `host:port`, on this machine.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// It may have ended by itself.
fn end(process: &mut Child) {
    let _: Result<(), std::io::Error> = process.kill();
    let _: Result<_, std::io::Error> = process.wait();
}
