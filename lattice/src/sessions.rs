//! Sessions: how one host calls another over NATS, where nothing is believed that is not authenticated.
//!
//! The first call to a host makes a session ([`handshake`]); from then on its frames travel in tagged and counted messages
//! ([`envelope`], [`seal`]), from the initiator on the other's call subject and back on the session's own reply subject. A session
//! carries calls one way; hosts that call each other have two. [`table`] knows them all, [`session`] drives one.

mod envelope;
mod handshake;
mod refused;
mod seal;
mod session;
mod table;
mod window;

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;
use wattle_claims::{Body, Signed, Verified};
use wattle_core::HostKey;
use wattle_wire::{Handler, Limits};

pub use self::{handshake::Peer, refused::Refused, table::Sessions};

/// What sessions need of the host that they work for.
pub trait Identity: Send + Sync + 'static {
    /// Answers the calls of one peer.
    type Handler: Handler;

    /// This host.
    fn host(&self) -> &HostKey;

    /// A token about `subject`, signed by this host and with its chain; none when the host's own claims do not hold.
    fn sign<B: Body>(&self, subject: String, body: B) -> Option<Signed<B>>;

    /// The token, if it holds here and now.
    fn verify<B: Body>(&self, token: &str) -> Option<Verified<B>>;

    /// Who answers the calls of a host that proved who it is.
    fn handler(&self, peer: &HostKey) -> Arc<Self::Handler>;

    /// Where the tasks of the sessions of this lane run, and the calls of their peers. Any number is a lane's.
    fn runtime(&self, lane: usize) -> Handle;

    /// Something was refused. Called for each: it must be cheap.
    fn refused(&self, why: Refused);
}

/// Bounds and times of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// Limits of each session's calls.
    pub limits: Limits,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a peer of whom an answer is due may be silent before it is asked for a sign of life, and how long it then has.
    pub silence: Duration,
    /// How long one key is used, at most.
    pub key_time: Duration,
    /// For how many messages one key is used, at most.
    pub key_messages: u64,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            handshake: Duration::from_secs(1),
            silence: Duration::from_millis(300),
            key_time: Duration::from_secs(10 * 60),
            key_messages: 1 << 24,
        }
    }
}
