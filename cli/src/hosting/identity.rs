//! Who a host is: its key, the token that admits it, and whom it trusts.

use std::{collections::BTreeSet, path::Path};

use anyhow::Context;
use wattle_claims::{
    Audience, Draft, HostClaims, KeyKind, KeyPair, Right, Signed, Timestamp, TokenError, Trust,
};
use wattle_core::{AccountKey, LatticeName, Name, OperatorKey};
use wattle_host::DataDir;

use crate::{
    exit::Exit,
    output::Output,
    problem::Problem,
    project::{
        Project, file,
        home::{self, Home},
        keys::{Role, Signer, read_key},
    },
    signing::{name_like, operator_of},
};

/// A host's identity.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) lattice: LatticeName,
    pub(crate) name: Name,
    pub(crate) key: KeyPair,
    pub(crate) token: String,
    pub(crate) operators: BTreeSet<OperatorKey>,
    pub(crate) accounts: BTreeSet<AccountKey>,
}

/// What the command line says about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given<'a> {
    pub(crate) name: Option<&'a Name>,
    /// The token that admits it, if it was brought.
    pub(crate) token: Option<String>,
    /// Operators' and accounts' keys.
    pub(crate) trust: &'a [String],
}

impl Identity {
    /// Reads or makes the host's key, and finds or signs its token. Where nobody here may sign, the error says who has to do
    /// what.
    pub(crate) fn establish(
        project: &Project,
        (home, data_dir): (&Home, &DataDir),
        lattice: LatticeName,
        given: Given<'_>,
        output: Output,
    ) -> anyhow::Result<Self> {
        let path = data_dir.join("host.jwt");
        let token =
            given.token.clone().map_or_else(|| file::read_small(&path), |it| Ok(Some(it)))?;
        let known = token.as_deref().and_then(home::admitted);
        let default = || match home {
            Home::Wadm => name_like("wadm"),
            Home::First | Home::Further(_) => machine_name(),
        };
        let name = given.name.cloned().or(known).map_or_else(default, Ok)?;
        let key = key(&data_dir.join("host.nk"), output)?;
        let (operators, accounts) = trusted(project, given.trust)?;
        let trust = Trust {
            operators: operators.clone(),
            accounts: accounts.clone(),
            lattice: lattice.clone(),
            revocations: Default::default(),
        };
        let token = match given.token {
            Some(token) => {
                admits(&token, &key, &name, &trust).context("--token")?;
                file::write_private(&path, token.as_bytes())?;
                token
            }
            None => match token.filter(|token| admits(token, &key, &name, &trust).is_ok()) {
                Some(kept) => kept,
                None => newly_signed(project, home, &path, &key, &name, &trust)?,
            },
        };
        Ok(Self { lattice, name, key, token, operators, accounts })
    }
}

/// The machine's name, as far as it is one of ours.
pub(crate) fn machine_name() -> anyhow::Result<Name> {
    let read = |path| std::fs::read_to_string(path).ok();
    let machine = read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_default();
    let first = machine.trim().split('.').next().unwrap_or_default();
    name_like(first).or_else(|_| name_like("host"))
}

fn key(path: &Path, output: Output) -> anyhow::Result<KeyPair> {
    if let Some(key) = read_key(path, KeyKind::Host)? {
        return Ok(key);
    }
    let key = KeyPair::generate(KeyKind::Host);
    file::write_private(path, key.seed().as_bytes())?;
    output.note(&format!("made the host's key: {}", key.public()));
    Ok(key)
}

/// `--trust`, or else the project's own operator.
fn trusted(
    project: &Project,
    given: &[String],
) -> anyhow::Result<(BTreeSet<OperatorKey>, BTreeSet<AccountKey>)> {
    let (mut operators, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    for key in given {
        if let Ok(operator) = key.parse() {
            operators.insert(operator);
        } else if let Ok(account) = key.parse() {
            accounts.insert(account);
        } else {
            let what =
                format!("--trust {key:?} is neither an operator's key (O…) nor an account's (A…)");
            return Err(Problem::new(Exit::Usage, what).into());
        }
    }
    if given.is_empty() {
        operators.extend(project.lattice()?.operator);
    }
    if operators.is_empty() && accounts.is_empty() {
        let what = "nothing says whom this host is to trust";
        let next =
            "--trust O…   (`wattle keys list` shows the operator's key where the lattice was made)";
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    Ok((operators, accounts))
}

fn newly_signed(
    project: &Project,
    home: &Home,
    path: &Path,
    key: &KeyPair,
    name: &Name,
    trust: &Trust,
) -> anyhow::Result<String> {
    let Ok(account) = project.keys().signer(Role::Account) else {
        let public = key.public();
        let what = format!("host {public} is not admitted to lattice {} yet", trust.lattice);
        let (command, rights) = match home {
            Home::Wadm => ("wadm", " --wadm"),
            Home::First | Home::Further(_) => ("host", ""),
        };
        let next = format!(
            "where the account's key is: wattle claims sign host {public} --name {name}{rights} --out host.jwt\n        \
             then here:                  wattle {command} --token host.jwt"
        );
        return Err(Problem::new(Exit::Denied, what).next(next).into());
    };
    let token = sign(key, name, &account, &trust.lattice)?;
    admits(&token, key, name, trust)?;
    file::write_private(path, token.as_bytes())?;
    Ok(token)
}

fn sign(
    key: &KeyPair,
    name: &Name,
    account: &Signer,
    lattice: &LatticeName,
) -> anyhow::Result<String> {
    let operator = operator_of(account)?;
    let draft = Draft {
        subject: key.public(),
        audience: Audience { operator, lattice: Some(lattice.clone()) },
        not_before: None,
        expires: None,
        body: HostClaims { name: name.clone(), rights: [Right::Wadm].into() },
    };
    Ok(draft.sign(account.issuer(), Timestamp::now())?.text().to_owned())
}

/// Whether a token admits this host under this name.
fn admits(token: &str, key: &KeyPair, name: &Name, trust: &Trust) -> anyhow::Result<()> {
    let refused = |error: TokenError| {
        Problem::new(Exit::Denied, format!("the token does not admit this host: {error}"))
    };
    let signed = Signed::<HostClaims>::parse(token).map_err(refused)?;
    // A device without a clock boots in the past, but no earlier than its own token. What time it is by what the host has seen is
    // the host's to say.
    let now = Timestamp::now().max(signed.peek().map_err(refused)?.issued_at);
    let claims = signed.verify(trust, now).map_err(refused)?;
    anyhow::ensure!(
        claims.subject == key.public(),
        "the token admits host {}, and this is host {}",
        claims.subject,
        key.public()
    );
    anyhow::ensure!(
        claims.body.name == *name,
        "the token admits a host named {}, and this one is {name}: use --name {}",
        claims.body.name,
        claims.body.name
    );
    Ok(())
}
