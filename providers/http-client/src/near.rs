//! The networks that this machine is in, as the kernel tells them: its own addresses, and what it reaches without a router.
//!
//! Linux alone is asked, where any process may read that. Elsewhere the log says so, and what is public everywhere is public here.

use std::{
    fs::File,
    io::{self, Read as _},
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;
use wattle_http::outgoing::IpNet;
use wattle_sdk::Host;

/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Bytes of a table: some 50,000 routes.
const TABLE_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Bits of the widest network that counts. What is wider, such as `0.0.0.0/1`, is what a tunnel or a proxy takes of the internet, and
/// has no such number of machines side by side.
const BITS_MIN_V4: u8 = 16;
const BITS_MIN_V6: u8 = 32;

/// Marks of IPv6's routes: `RTF_UP`, `RTF_GATEWAY` and `RTF_REJECT` of `linux/route.h`.
const UP: u32 = 0x1;
const GATEWAY: u32 = 0x2;
const REJECT: u32 = 0x200;

/// What the last look found.
#[derive(Debug, Default)]
pub(crate) struct Near(ArcSwap<Vec<IpNet>>);

impl Near {
    /// Looks before it returns, and again every few seconds for as long as the process runs.
    pub(crate) async fn watch(host: &Host) -> Arc<Self> {
        let (near, mut tables) = (Arc::new(Self::default()), [Table::v4(), Table::v6()]);
        near.look(&mut tables).await;
        let watched = Arc::clone(&near);
        host.spawn_on(0, async move {
            loop {
                sleep(LOOK_PAUSE).await;
                watched.look(&mut tables).await;
            }
        });
        near
    }

    /// The networks.
    pub(crate) fn networks(&self) -> Guard<Arc<Vec<IpNet>>> {
        self.0.load()
    }

    async fn look(&self, tables: &mut [Table]) {
        let mut all = Vec::new();
        for table in tables {
            table.look().await;
            all.extend_from_slice(&table.networks);
        }
        self.0.store(Arc::new(all));
    }
}

/// One of the kernel's tables of routes.
struct Table {
    path: PathBuf,
    parse: fn(&str) -> Option<Vec<IpNet>>,
    /// A kernel may lack what the table is about.
    is_optional: bool,
    /// What it said last. A look that fails changes nothing: it may only be that too many files are open.
    networks: Vec<IpNet>,
    has_failed: bool,
}

impl Table {
    fn v4() -> Self {
        Self::new("/proc/net/fib_trie", parse_v4, false)
    }

    fn v6() -> Self {
        Self::new("/proc/net/ipv6_route", parse_v6, true)
    }

    fn new(
        path: impl Into<PathBuf>,
        parse: fn(&str) -> Option<Vec<IpNet>>,
        is_optional: bool,
    ) -> Self {
        Self { path: path.into(), parse, is_optional, networks: Vec::new(), has_failed: false }
    }

    async fn look(&mut self) {
        let (path, parse) = (self.path.clone(), self.parse);
        let looking = spawn_blocking(move || read(&path, parse)).await;
        match looking.unwrap_or_else(|error| Err(error.into())) {
            Ok(networks) => self.networks = networks,
            Err(error) if self.is_optional && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                if !self.has_failed {
                    self.has_failed = true;
                    let table = self.path.display();
                    warn!(%table, %error, "public addresses near this machine are not known, and not refused");
                }
            }
        }
    }
}

fn read(path: &Path, parse: fn(&str) -> Option<Vec<IpNet>>) -> io::Result<Vec<IpNet>> {
    let mut text = String::new();
    File::open(path)?.take(TABLE_LEN_MAX).read_to_string(&mut text)?;
    if text.len() as u64 == TABLE_LEN_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut networks = parse(&text).ok_or(io::ErrorKind::InvalidData)?;
    networks.sort_unstable();
    networks.dedup();
    Ok(networks)
}

/// Reads a tree of IPv4's routes. Below each address stand its routes: how many of its bits they are for, how far they reach, and what
/// they are.
fn parse_v4(text: &str) -> Option<Vec<IpNet>> {
    let (mut networks, mut address) = (Vec::new(), None);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next()? {
            "+--" => {}
            "|--" => address = Some(words.next()?.parse::<Ipv4Addr>().ok()?),
            "Main:" | "Local:" | "Id" => address = None,
            route => {
                let bits = route.strip_prefix('/')?.parse().ok()?;
                let network = IpNet::new(address?.into(), bits).ok()?;
                let is_near =
                    matches!((words.next()?, words.next()?), (_, "LOCAL") | ("link", "UNICAST"));
                if is_near && bits >= BITS_MIN_V4 {
                    networks.push(network);
                }
            }
        }
    }
    Some(networks)
}

/// Reads IPv6's routes, one in a line: address, bits, where from (two fields), by which router, metric, two counts, marks, device.
fn parse_v6(text: &str) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [address, bits, _, _, _, _, _, _, marks, ..] = fields[..] else { return None };
        let address = u128::from_str_radix(address, 16).ok().filter(|_| address.len() == 32)?;
        let bits = u8::from_str_radix(bits, 16).ok()?;
        let marks = u32::from_str_radix(marks, 16).ok()?;
        let network = IpNet::new(Ipv6Addr::from_bits(address).into(), bits).ok()?;
        if marks & (UP | GATEWAY | REJECT) == UP && bits >= BITS_MIN_V6 {
            networks.push(network);
        }
    }
    Some(networks)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    /// A server with the address 5.9.1.20 in a network of a provider, one more that is routed to it, and a tunnel for everything.
    const TREE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        /1 link UNICAST
     +-- 5.9.0.0/20 2 0 2
        |-- 5.9.0.0
           /20 link UNICAST
        |-- 5.9.200.0
           /24 universe UNICAST
     |-- 128.0.0.0
        /1 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 5.9.1.20
        /32 host LOCAL
     |-- 5.9.15.255
        /32 link BROADCAST
     |-- 46.4.7.7
        /32 host LOCAL
     |-- 127.0.0.0
        /8 host LOCAL
        /31 scope=7 type 12 tos=8
Id 100:
  |-- 0.0.0.0
     /0 host LOCAL
";

    const ROUTES: &str = "\
2a010000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
2a010000000000010000000000000000 40 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
20000000000000000000000000000000 03 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000003 00000000 00000001     tun0
2a020000000000000000000000000000 20 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
2a010000000000000000000000000020 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000004 00000000 80200001     eth0
2a030000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000004 00000000 00000001         \n";

    fn networks(all: &[&str]) -> Option<Vec<IpNet>> {
        Some(all.iter().map(|text| text.parse().expect("a network")).collect())
    }

    #[test]
    fn own_addresses_and_networks_without_a_router_are_near_and_a_tunnel_for_everything_is_not() {
        assert_eq!(parse_v4(TREE), networks(&["5.9.0.0/20", "5.9.1.20/32", "46.4.7.7/32"]));
        assert_eq!(parse_v6(ROUTES), networks(&["2a01::/64", "2a01::20/128", "2a03::/64"]));
        assert_eq!((parse_v4(""), parse_v6("")), (networks(&[]), networks(&[])));
    }

    #[test]
    fn what_no_kernel_writes_is_no_table() {
        for wrong in [
            "\n",
            "Main",
            "/24 link UNICAST",
            "Main:\n|-- 5.9.0.0\nLocal:\n/24 link UNICAST",
            "|-- 5.9.0",
            "|--",
            "|-- 5.9.0.0\n/33 link UNICAST",
            "|-- 5.9.0.0\n/+ link UNICAST",
            "|-- 5.9.0.0\n/24 link",
        ] {
            assert_eq!(parse_v4(wrong), None, "{wrong:?}");
        }
        for (from, to) in [
            ("2a01", "2a0"),
            ("2a01", "2a0g"),
            (" 40 ", " 81 "),
            (" 40 ", " "),
            ("00000001     eth0", ""),
        ] {
            assert_eq!(parse_v6(&ROUTES.replacen(from, to, 1)), None, "{from:?} {to:?}");
        }
    }

    #[tokio::test]
    async fn a_look_that_fails_forgets_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("routes");
        let (near, mut tables) = (Near::default(), [Table::new(&path, parse_v4, false)]);
        let mut found = async |text: &str| {
            std::fs::write(&path, text).expect("a file");
            near.look(&mut tables).await;
            near.networks().to_vec()
        };
        let all = found(TREE).await;
        assert_eq!(all.len(), 3);
        assert_eq!(found("nothing").await, all);
        let long = "Main:\n".repeat(TABLE_LEN_MAX as usize / 6 + 1);
        assert_eq!(found(&long).await, all, "it is not read to its end");
        assert_eq!(found("Main:\n").await, []);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn this_machine_is_near_itself() {
        let (near, mut tables) = (Near::default(), [Table::v4(), Table::v6()]);
        near.look(&mut tables).await;
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert!(near.networks().iter().any(|network| network.contains(&here)));
        assert!(tables.iter().all(|table| !table.has_failed));
    }
}
