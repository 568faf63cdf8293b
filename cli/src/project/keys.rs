//! The keys of a project: the development chain operator → account → user, and one key per artifact.

use std::path::{Path, PathBuf};

use anyhow::Context;
use wattle_claims::{
    AccountClaims, Audience, Draft, Issuer, KeyKind, KeyPair, OperatorClaims, Right, Timestamp,
    UserClaims,
};
use wattle_core::{Name, OperatorKey};

use super::file;
use crate::{exit::Exit, problem::Problem};

/// The folder of keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    dir: PathBuf,
}

/// A key that may sign, and the token that says who it is.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) key: KeyPair,
    pub(crate) token: String,
}

impl Signer {
    pub(crate) fn issuer(&self) -> Issuer<'_> {
        Issuer { key: &self.key, token: Some(&self.token) }
    }
}

/// A key of the development chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Operator,
    Account,
    User,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
        }
    }

    const fn kind(self) -> KeyKind {
        match self {
            Self::Operator => KeyKind::Operator,
            Self::Account => KeyKind::Account,
            Self::User => KeyKind::User,
        }
    }
}

/// Which kind of artifact a key is for; each kind has a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Artifact {
    Actor,
    Provider,
}

impl Artifact {
    const fn folder(self) -> &'static str {
        match self {
            Self::Actor => "actors",
            Self::Provider => "providers",
        }
    }

    const fn kind(self) -> KeyKind {
        match self {
            Self::Actor => KeyKind::Actor,
            Self::Provider => KeyKind::Provider,
        }
    }
}

/// One key as `wattle keys list` shows it.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Listed {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) file: PathBuf,
}

impl Keys {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The key of a role with its token, or which file is missing.
    pub(crate) fn signer(&self, role: Role) -> anyhow::Result<Signer> {
        let key = self.require(&self.path(role, "nk"), role)?;
        let token = self.token(role)?;
        Ok(Signer { key, token })
    }

    /// The token that says who the role's key is.
    pub(crate) fn token(&self, role: Role) -> anyhow::Result<String> {
        let path = self.path(role, "jwt");
        file::read_small(&path)?.ok_or_else(|| missing(&path, role).into())
    }

    fn require(&self, path: &Path, role: Role) -> anyhow::Result<KeyPair> {
        read_key(path, role.kind())?.ok_or_else(|| missing(path, role).into())
    }

    fn path(&self, role: Role, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", role.as_str()))
    }

    /// Makes the development chain if the project has no key of it at all; a project that was given a user's key only is left
    /// as it is. Returns whether it was made.
    pub(crate) fn ensure_chain(&self, now: Timestamp) -> anyhow::Result<bool> {
        let roles = [Role::Operator, Role::Account, Role::User];
        if roles.iter().any(|&role| self.path(role, "nk").exists()) {
            return Ok(false);
        }
        let operator = make_operator(now)?;
        let audience = Audience {
            operator: operator.key.public_key::<OperatorKey>().context("the operator's key")?,
            lattice: None,
        };
        let account = make_account(&operator, &audience, now)?;
        let user = make_user(&account, &audience, now)?;
        for (role, signer) in roles.into_iter().zip([&operator, &account, &user]) {
            file::write_private(&self.path(role, "jwt"), signer.token.as_bytes())?;
            file::write_private(&self.path(role, "nk"), signer.key.seed().as_bytes())?;
        }
        Ok(true)
    }

    /// The key of an artifact, made on first use: the same name keeps its identity from build to build.
    pub(crate) fn artifact(&self, artifact: Artifact, name: &Name) -> anyhow::Result<KeyPair> {
        let path = self.artifact_path(artifact, name);
        if let Some(key) = read_key(&path, artifact.kind())? {
            return Ok(key);
        }
        let key = KeyPair::generate(artifact.kind());
        file::write_private(&path, key.seed().as_bytes())?;
        Ok(key)
    }

    pub(crate) fn artifact_path(&self, artifact: Artifact, name: &Name) -> PathBuf {
        self.dir.join(artifact.folder()).join(format!("{name}.nk"))
    }

    /// All keys, without their seeds.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for role in [Role::Operator, Role::Account, Role::User] {
            let path = self.path(role, "nk");
            if let Some(key) = read_key(&path, role.kind())? {
                let name = role.as_str();
                listed.push(Listed {
                    kind: name,
                    name: name.to_owned(),
                    key: key.public(),
                    file: path,
                });
            }
        }
        for (artifact, kind) in [(Artifact::Actor, "actor"), (Artifact::Provider, "provider")] {
            for path in seeds_in(&self.dir.join(artifact.folder()))? {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(key) = read_key(&path, artifact.kind())? {
                    listed.push(Listed { kind, name, key: key.public(), file: path });
                }
            }
        }
        Ok(listed)
    }
}

/// The key pair whose seed is in a file, if there is one; a key of another kind is an error.
pub(crate) fn read_key(path: &Path, kind: KeyKind) -> anyhow::Result<Option<KeyPair>> {
    let Some(seed) = file::read_small(path)? else { return Ok(None) };
    let key = KeyPair::from_seed(&seed).with_context(|| path.display().to_string())?;
    anyhow::ensure!(key.kind() == kind, "{}: this is no {kind:?} key's seed", path.display());
    Ok(Some(key))
}

fn seeds_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "nk") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn missing(path: &Path, role: Role) -> Problem {
    let what =
        format!("this needs the {}'s key, and there is no {}", role.as_str(), path.display());
    Problem::new(Exit::NotFound, what)
        .next(format!("put it there, or make a development chain in a new folder: wattle --dir FOLDER keys gen {}", role.as_str()))
}

fn make_operator(now: Timestamp) -> anyhow::Result<Signer> {
    let key = KeyPair::generate(KeyKind::Operator);
    let operator = key.public_key::<OperatorKey>().context("the operator's key")?;
    let draft = Draft {
        subject: key.public(),
        audience: Audience { operator, lattice: None },
        not_before: None,
        expires: None,
        body: OperatorClaims { name: "development".to_owned() },
    };
    let signed = draft.sign(Issuer { key: &key, token: None }, now)?;
    Ok(Signer { token: signed.text().to_owned(), key })
}

fn make_account(operator: &Signer, audience: &Audience, now: Timestamp) -> anyhow::Result<Signer> {
    let key = KeyPair::generate(KeyKind::Account);
    let draft = Draft {
        subject: key.public(),
        audience: audience.clone(),
        not_before: None,
        expires: None,
        body: AccountClaims { name: "development".to_owned() },
    };
    let signed = draft.sign(operator.issuer(), now)?;
    Ok(Signer { token: signed.text().to_owned(), key })
}

fn make_user(account: &Signer, audience: &Audience, now: Timestamp) -> anyhow::Result<Signer> {
    let key = KeyPair::generate(KeyKind::User);
    let name = std::env::var("USER").unwrap_or_else(|_| "developer".to_owned());
    let rights = [Right::Control, Right::Link, Right::Config, Right::Invoke, Right::Inspect];
    let draft = Draft {
        subject: key.public(),
        audience: audience.clone(),
        not_before: None,
        expires: None,
        body: UserClaims { name, rights: rights.into() },
    };
    let signed = draft.sign(account.issuer(), now)?;
    Ok(Signer { token: signed.text().to_owned(), key })
}
