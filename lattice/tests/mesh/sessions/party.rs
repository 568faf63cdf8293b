//! Hosts with real claims, and a callee that counts.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};
use wattle_claims::{
    AccountClaims, Audience, Body as TokenBody, Draft, HostClaims, Issuer, KeyKind, KeyPair,
    OperatorClaims, RevokedSet, Signed, Timestamp, Trust, Verified,
};
use wattle_core::{CallError, HostKey};
use wattle_lattice::{Identity, Lattice, Refused, SessionSettings, Sessions};
use wattle_wire::{Body, Handler, Reply, Request};

use crate::scene::{Scene, shop};

/// An operator and its account, which admits hosts.
pub(super) struct Account {
    trust: Trust,
    audience: Audience,
    account: KeyPair,
    token: String,
}

/// A host: its claims, its connection and its sessions.
pub(super) struct Party {
    pub(super) key: HostKey,
    pub(super) lattice: Lattice,
    pub(super) sessions: Sessions<Host>,
    pub(super) callee: Arc<Callee>,
    host: Host,
}

/// What a host shows to others.
#[derive(Clone)]
pub(super) struct Host {
    key: HostKey,
    pair: Arc<KeyPair>,
    token: String,
    trust: Trust,
    audience: Audience,
    callee: Arc<Callee>,
    runtime: Handle,
}

/// Answers, and remembers.
#[derive(Default)]
pub(super) struct Callee {
    calls: AtomicUsize,
    pub(super) begun: Notify,
    pub(super) ended: Notify,
}

impl Callee {
    pub(super) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }
}

struct Running(Arc<Callee>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.notify_one();
    }
}

impl Handler for Callee {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        self.calls.fetch_add(1, SeqCst);
        let running = Running(Arc::clone(self));
        async move {
            if request.head == "never" {
                running.0.begun.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(Reply { result: request.params, body: request.body })
        }
    }

    fn control(&self, _: Bytes) {}
}

impl Identity for Host {
    type Handler = Callee;

    fn host(&self) -> &HostKey {
        &self.key
    }

    fn sign<B: TokenBody>(&self, subject: String, body: B) -> Option<Signed<B>> {
        let draft = Draft {
            subject,
            audience: self.audience.clone(),
            not_before: None,
            expires: None,
            body,
        };
        draft.sign(Issuer { key: &self.pair, token: Some(&self.token) }, Timestamp::now()).ok()
    }

    fn verify<B: TokenBody>(&self, token: &str) -> Option<Verified<B>> {
        Signed::parse(token).ok()?.verify(&self.trust, Timestamp::now()).ok()
    }

    fn handler(&self, _: &HostKey) -> Arc<Callee> {
        Arc::clone(&self.callee)
    }

    fn runtime(&self, _: usize) -> Handle {
        self.runtime.clone()
    }

    fn refused(&self, _: Refused) {}
}

/// Handshakes may take longer while other tests keep the machine busy.
fn patient() -> SessionSettings {
    SessionSettings { handshake: Duration::from_secs(5), ..SessionSettings::default() }
}

impl Account {
    pub(super) fn new() -> Self {
        let operator = KeyPair::generate(KeyKind::Operator);
        let account = KeyPair::generate(KeyKind::Account);
        let key = operator.public_key().unwrap();
        let audience = Audience { operator: key, lattice: None };
        let by = Issuer { key: &operator, token: None };
        let own = signed(&audience, operator.public(), OperatorClaims { name: "op".into() }, by);
        let by = Issuer { key: &operator, token: Some(&own) };
        let token = signed(&audience, account.public(), AccountClaims { name: "ac".into() }, by);
        let trust = Trust {
            operators: [audience.operator.clone()].into(),
            accounts: [].into(),
            lattice: shop(),
            revocations: RevokedSet::default(),
        };
        Self { trust, audience, account, token }
    }

    pub(super) fn key_of_a_host(&self) -> HostKey {
        KeyPair::generate(KeyKind::Host).public_key().unwrap()
    }

    pub(super) async fn host(&self, scene: &Scene) -> Party {
        self.host_with(scene, patient()).await
    }

    /// The same over a line of somebody's to NATS.
    pub(super) async fn host_at(&self, scene: &Scene, address: &str) -> Party {
        self.host_over(scene, address, patient()).await
    }

    pub(super) async fn host_over(
        &self,
        scene: &Scene,
        address: &str,
        settings: SessionSettings,
    ) -> Party {
        Party::over(scene.connect_at(address).await, self.admitted(), settings).await
    }

    pub(super) async fn host_with(&self, scene: &Scene, settings: SessionSettings) -> Party {
        Party::over(scene.connect().await, self.admitted(), settings).await
    }

    fn admitted(&self) -> Host {
        let pair = KeyPair::generate(KeyKind::Host);
        let by = Issuer { key: &self.account, token: Some(&self.token) };
        let name = "host".parse().unwrap();
        let token = signed(
            &self.audience,
            pair.public(),
            HostClaims { name, rights: Default::default() },
            by,
        );
        Host {
            key: pair.public_key().unwrap(),
            pair: Arc::new(pair),
            token,
            trust: self.trust.clone(),
            audience: self.audience.clone(),
            callee: Arc::default(),
            runtime: Handle::current(),
        }
    }
}

fn signed<B: TokenBody>(audience: &Audience, subject: String, body: B, by: Issuer<'_>) -> String {
    let draft =
        Draft { subject, audience: audience.clone(), not_before: None, expires: None, body };
    draft.sign(by, Timestamp::now()).unwrap().text().to_owned()
}

impl Party {
    async fn over(lattice: Lattice, host: Host, settings: SessionSettings) -> Self {
        let lanes = vec![lattice.clone()];
        let sessions = Sessions::start(&lattice, lanes, host.clone(), settings).await.unwrap();
        Self { key: host.key.clone(), lattice, sessions, callee: Arc::clone(&host.callee), host }
    }

    /// The same host in a new process, as far as others can tell.
    pub(super) async fn restarted(self, scene: &Scene) -> Self {
        let Self { host, lattice, sessions, .. } = self;
        drop((lattice, sessions));
        Self::over(scene.connect().await, host, patient()).await
    }

    pub(super) async fn call(
        &self,
        to: &Self,
        head: &'static str,
        params: &[u8],
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        self.sessions.connect(&to.key, 0).await?.call(request(head, params, body)).await
    }

    pub(super) fn start_call(
        &self,
        to: &Self,
        head: &'static str,
    ) -> JoinHandle<Result<Reply, CallError>> {
        let (sessions, key) = (self.sessions.clone(), to.key.clone());
        tokio::spawn(async move {
            sessions.connect(&key, 0).await?.call(request(head, b"", None)).await
        })
    }

    pub(super) fn refused(&self) -> Vec<(Refused, u64)> {
        self.sessions.refused()
    }
}

fn request(head: &'static str, params: &[u8], body: Option<Body>) -> Request {
    Request { head: head.into(), params: Bytes::copy_from_slice(params), body }
}
