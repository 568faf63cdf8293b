//! The cables of a network, and what carries packets between their ends.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UnixDatagram,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use parking_lot::Mutex;

/// Packets on their way through one cable; what comes on top is lost, as at a router.
const ON_THE_WAY_MAX: usize = 4_096;
/// The largest packet of a TUN device is smaller.
const PACKET_LEN_MAX: usize = 2_048;

/// What a cable does with packets, in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cable {
    /// Carries them at once.
    Whole,
    /// Loses them all: what a partition looks like to both ends.
    Cut,
    /// Loses some of them at random, and carries the others so much later.
    Poor {
        /// How many, from 0 to 1.
        loss: f64,
        /// How much later.
        delay: Duration,
    },
}

/// All cables of a network.
pub(super) struct Cables {
    socket: UnixDatagram,
    ends: Mutex<HashMap<Ipv4Addr, End>>,
}

/// A machine's end.
struct End {
    cable: Cable,
    packets: mpsc::Sender<(Instant, Vec<u8>)>,
}

impl Cables {
    /// `relay` is the socket that machines send their packets to.
    pub(super) fn bind(relay: &Path) -> Self {
        let socket = UnixDatagram::bind(relay).expect("a socket");
        Self { socket, ends: Mutex::default() }
    }

    /// One more machine, which takes packets at `socket`.
    pub(super) fn attach(self: &Arc<Self>, machine: Ipv4Addr, socket: PathBuf) {
        let (packets, on_the_way) = mpsc::channel(ON_THE_WAY_MAX);
        self.ends.lock().insert(machine, End { cable: Cable::Whole, packets });
        tokio::spawn(carry(Arc::clone(self), on_the_way, socket));
    }

    pub(super) fn set(&self, machine: Ipv4Addr, cable: Cable) {
        self.ends.lock().get_mut(&machine).expect("it is attached").cable = cable;
    }

    /// Takes packets for as long as the network is there.
    pub(super) async fn relay(self: Arc<Self>) {
        let mut packet = vec![0; PACKET_LEN_MAX];
        loop {
            // Errors are those of a machine that is gone.
            if let Ok(len) = self.socket.recv(&mut packet).await {
                self.pass(&packet[..len]);
            }
        }
    }

    fn pass(&self, packet: &[u8]) {
        let Some((from, to)) = addresses(packet) else { return };
        let ends = self.ends.lock();
        let (Some(from), Some(to)) = (ends.get(&from), ends.get(&to)) else { return };
        let late = [from, to].into_iter().map(|end| end.cable.passes()).sum::<Option<Duration>>();
        if let Some(late) = late {
            // Full is lost.
            let _: Result<_, _> = to.packets.try_send((Instant::now() + late, packet.to_vec()));
        }
    }
}

impl Cable {
    /// How late a packet is behind it; none if it is lost.
    fn passes(self) -> Option<Duration> {
        match self {
            Self::Whole => Some(Duration::ZERO),
            Self::Cut => None,
            Self::Poor { loss, .. } if rand::random::<f64>() < loss => None,
            Self::Poor { delay, .. } => Some(delay),
        }
    }
}

/// From whom an IPv4 packet is, and for whom; others are not carried.
fn addresses(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..at + 4)?.first_chunk::<4>()?));
    let is_v4 = packet.first()? >> 4 == 4;
    is_v4.then_some((address(12)?, address(16)?))
}

async fn carry(
    cables: Arc<Cables>,
    mut on_the_way: mpsc::Receiver<(Instant, Vec<u8>)>,
    machine: PathBuf,
) {
    while let Some((due, packet)) = on_the_way.recv().await {
        sleep_until(due).await;
        // A machine that is gone takes none.
        let _: std::io::Result<_> = cables.socket.send_to(&packet, &machine).await;
    }
}
