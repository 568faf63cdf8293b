//! Where it happens: a NATS server, and the keys of those who speak over it.

use std::{collections::BTreeSet, time::Duration};

use wattle_claims::{
    Audience, Body, Draft, HostClaims, KeyKind, KeyPair, RevokedSet, Right, Signed, Timestamp,
    Trust,
};
use wattle_core::{AccountKey, LatticeName, Name};
use wattle_lattice::{ConnectOptions, Lattice};
use wattle_testing::{Chain, Nats, Signing};
use wattle_wadm::agent::{Agent, AgentConfig};

/// One lattice of one account.
pub(crate) struct Site {
    nats: Nats,
    name: LatticeName,
    pub(crate) chain: Chain,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let name = "large".parse().expect("a name");
        Self { nats: Nats::start().await, name, chain: Chain::stranger() }
    }

    /// A connection of somebody's own.
    pub(crate) async fn connect(&self, who: &str) -> Lattice {
        let options = ConnectOptions {
            servers: vec![self.nats.url()],
            client_name: who.to_owned(),
            ..ConnectOptions::default()
        };
        let lattice = Box::pin(Lattice::connect(self.name.clone(), &options)).await;
        lattice.expect("NATS is there")
    }

    /// A wadm, as a process with a host in it starts it.
    pub(crate) async fn wadm(&self) -> Agent {
        let Signing { key, token } =
            self.host(&"wadm".parse().expect("a name"), [Right::Wadm].into());
        let Trust { operators, accounts, .. } = self.trust();
        let lattice = self.connect("wadm").await;
        let agent = Agent::start(AgentConfig { lattice, key, token, operators, accounts });
        agent.expect("its claims say that it may be wadm")
    }

    /// The key of a host of the account, and its claims.
    pub(crate) fn host(&self, name: &Name, rights: BTreeSet<Right>) -> Signing {
        let key = KeyPair::generate(KeyKind::Host);
        let claims = HostClaims { name: name.clone(), rights };
        let token = self.sign(&self.chain.account, key.public(), None, claims);
        Signing { key, token: token.text().to_owned() }
    }

    pub(crate) fn account(&self) -> AccountKey {
        self.chain.account.key.public_key().expect("an account's key")
    }

    /// Everybody here trusts the one operator.
    pub(crate) fn trust(&self) -> Trust {
        let operator = self.chain.operator.key.public_key().expect("an operator's key");
        Trust {
            operators: [operator].into(),
            accounts: BTreeSet::new(),
            lattice: self.name.clone(),
            revocations: RevokedSet::default(),
        }
    }

    pub(crate) fn sign<B: Body>(
        &self,
        by: &Signing,
        subject: String,
        lasts: Option<Duration>,
        body: B,
    ) -> Signed<B> {
        let now = Timestamp::now();
        let draft = Draft {
            subject,
            audience: Audience { lattice: Some(self.name.clone()), ..self.chain.audience() },
            not_before: None,
            expires: lasts.map(|lasts| now.plus(lasts)),
            body,
        };
        draft.sign(by.issuer(), now).expect("it may sign this")
    }

    pub(crate) fn name(&self) -> &LatticeName {
        &self.name
    }
}
