//! Keys and tokens of a lattice, to sign what `wattle` would not.

use std::{collections::BTreeMap, fs, path::Path};

use wattle_claims::{
    AccountClaims, ActorClaims, Audience, Body, Draft, Issuer, KeyKind, KeyPair, OperatorClaims,
    ProviderClaims, Right, Signed, Timestamp, UserClaims, module, provider,
};
use wattle_core::{Interface, OperatorKey};

/// A key, and the token that says who it is.
pub struct Signing {
    /// The key.
    pub key: KeyPair,
    /// Its token, with the chain above it.
    pub token: String,
}

/// Operator, account and user.
pub struct Chain {
    /// The operator.
    pub operator: Signing,
    /// The account.
    pub account: Signing,
    /// The user.
    pub user: Signing,
}

impl Signing {
    /// As the issuer of what is signed next.
    pub fn issuer(&self) -> Issuer<'_> {
        Issuer { key: &self.key, token: Some(&self.token) }
    }

    fn read(folder: &Path, role: &str) -> Self {
        let read = |extension: &str| {
            let path = folder.join(format!("{role}.{extension}"));
            let text = fs::read_to_string(&path);
            text.unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
        };
        let key = KeyPair::from_seed(&read("nk")).expect("wattle wrote a seed");
        Self { key, token: read("jwt") }
    }
}

/// The key and the token of a project's first host, as somebody has them who broke into it.
pub fn read_host(project: &Path) -> Signing {
    Signing::read(&project.join("host"), "host")
}

/// The chain that `wattle` made in a project folder.
pub fn read_chain(project: &Path) -> Chain {
    let keys = project.join("keys");
    Chain {
        operator: Signing::read(&keys, "operator"),
        account: Signing::read(&keys, "account"),
        user: Signing::read(&keys, "user"),
    }
}

impl Chain {
    /// A chain that no lattice trusts.
    pub fn stranger() -> Self {
        let key = KeyPair::generate(KeyKind::Operator);
        let operator = sign_own(key);
        let account = operator.account("stranger");
        let user = account.user("stranger", &operator.audience());
        Self { operator, account, user }
    }

    /// For whom the chain's tokens are meant.
    pub fn audience(&self) -> Audience {
        self.operator.audience()
    }

    /// Another account of the same operator.
    pub fn other_account(&self, name: &str) -> Signing {
        self.operator.account(name)
    }

    /// What an actor's claims would say of this component: its own imports and exports.
    pub fn actor_draft(&self, component: &[u8], name: &str) -> Draft<ActorClaims> {
        let world = module::world(component).expect("a component");
        let interfaces = |names: std::collections::BTreeSet<String>| {
            names.iter().map(|name| name.parse::<Interface>().expect("an interface")).collect()
        };
        Draft {
            subject: KeyPair::generate(KeyKind::Actor).public(),
            audience: self.audience(),
            not_before: None,
            expires: None,
            body: ActorClaims {
                name: name.to_owned(),
                version: "0.1.0".to_owned(),
                hash: module::digest(component),
                imports: interfaces(world.imports),
                exports: interfaces(world.exports),
            },
        }
    }

    /// The component, signed by the account for its own imports and exports.
    pub fn sign_actor(&self, component: &[u8], name: &str) -> Vec<u8> {
        self.embed(component, self.actor_draft(component, name))
    }

    /// A provider's artifact of this program, signed by the account, which neither imports nor exports anything.
    pub fn sign_provider(&self, binary: Vec<u8>, name: &str) -> Vec<u8> {
        self.sign_provider_of(&[], binary, name)
    }

    /// The same for a program that exports these interfaces.
    pub fn sign_provider_of(&self, exports: &[&str], binary: Vec<u8>, name: &str) -> Vec<u8> {
        let platform = provider::platform();
        let draft = Draft {
            subject: KeyPair::generate(KeyKind::Provider).public(),
            audience: self.audience(),
            not_before: None,
            expires: None,
            body: ProviderClaims {
                name: name.to_owned(),
                version: "0.1.0".to_owned(),
                imports: Vec::new(),
                exports: exports.iter().map(|name| name.parse().expect("an interface")).collect(),
                binaries: BTreeMap::from([(platform.clone(), module::digest(&binary))]),
            },
        };
        let token = sign(draft, &self.account);
        provider::pack(&token, &BTreeMap::from([(platform, binary)])).expect("packed")
    }

    /// The component with these claims, signed by the account.
    pub fn embed(&self, component: &[u8], draft: Draft<ActorClaims>) -> Vec<u8> {
        let token = sign(draft, &self.account);
        module::embed(component, &token).expect("a component without claims")
    }
}

impl Signing {
    fn audience(&self) -> Audience {
        let operator: OperatorKey = self.key.public_key().expect("an operator's key");
        Audience { operator, lattice: None }
    }

    fn account(&self, name: &str) -> Self {
        let key = KeyPair::generate(KeyKind::Account);
        let draft = plain(&key, self.audience(), AccountClaims { name: name.to_owned() });
        let token = sign(draft, self).text().to_owned();
        Self { key, token }
    }

    /// A user of this account with all rights.
    pub fn user(&self, name: &str, audience: &Audience) -> Self {
        let rights =
            [Right::Control, Right::Link, Right::Config, Right::Invoke, Right::Inspect].into();
        self.user_with(name, audience, rights)
    }

    /// A user of this account with these rights.
    pub fn user_with(
        &self,
        name: &str,
        audience: &Audience,
        rights: std::collections::BTreeSet<Right>,
    ) -> Self {
        let key = KeyPair::generate(KeyKind::User);
        let draft = plain(&key, audience.clone(), UserClaims { name: name.to_owned(), rights });
        let token = sign(draft, self).text().to_owned();
        Self { key, token }
    }
}

fn sign_own(key: KeyPair) -> Signing {
    let operator: OperatorKey = key.public_key().expect("an operator's key");
    let audience = Audience { operator, lattice: None };
    let draft = plain(&key, audience, OperatorClaims { name: "stranger".to_owned() });
    let signed = draft.sign(Issuer { key: &key, token: None }, Timestamp::now());
    let token = signed.expect("an operator signs itself").text().to_owned();
    Signing { key, token }
}

fn plain<B>(key: &KeyPair, audience: Audience, body: B) -> Draft<B> {
    Draft { subject: key.public(), audience, not_before: None, expires: None, body }
}

/// Signs now.
fn sign<B: Body>(draft: Draft<B>, by: &Signing) -> Signed<B> {
    draft.sign(by.issuer(), Timestamp::now()).expect("it may sign this")
}
