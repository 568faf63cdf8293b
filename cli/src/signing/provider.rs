//! Signed provider artifacts, and those of the providers that come with Wattle.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use wattle_claims::{ProviderClaims, Signed, module::digest, provider};
use wattle_core::{Interface, Name, ProviderKey};

use crate::{
    exit::Exit,
    output::Output,
    problem::Problem,
    project::{
        Project, file,
        keys::{Artifact, Role, Signer},
    },
};

/// A provider that comes with Wattle: its binary is `wattle-NAME` beside the `wattle` command.
#[derive(Debug)]
pub(crate) struct Shipped {
    pub(crate) name: &'static str,
    imports: &'static [&'static str],
    exports: &'static [&'static str],
}

/// All of them.
pub(crate) const SHIPPED: &[Shipped] = &[
    Shipped { name: "blobstore-fs", imports: &[], exports: wattle_blobstore::EXPORTS },
    Shipped { name: "blobstore-s3", imports: &[], exports: wattle_blobstore::EXPORTS },
    Shipped {
        name: "http-client",
        imports: &[],
        exports: &[wattle_http::outgoing::SEND.interface],
    },
    Shipped { name: "http-server", imports: &[wattle_http::HANDLE.interface], exports: &[] },
    Shipped {
        name: "keyvalue-embedded",
        imports: &[wattle_keyvalue::WATCHER],
        exports: wattle_keyvalue::INTERFACES,
    },
    Shipped {
        name: "keyvalue-redis",
        imports: &[wattle_keyvalue::WATCHER],
        exports: wattle_keyvalue::INTERFACES,
    },
    Shipped {
        name: "messaging-mqtt",
        imports: &[wattle_messaging::HANDLER],
        exports: &[wattle_messaging::CONSUMER],
    },
    Shipped {
        name: "messaging-nats",
        imports: &[wattle_messaging::HANDLER],
        exports: &[wattle_messaging::CONSUMER],
    },
    Shipped {
        name: "messaging-redis",
        imports: &[wattle_messaging::HANDLER],
        exports: &[wattle_messaging::CONSUMER],
    },
    Shipped { name: "sql-postgres", imports: &[], exports: SQL_POSTGRES },
    Shipped { name: "sql-sqlite", imports: &[], exports: wattle_sql::INTERFACES },
    Shipped { name: "timer", imports: &[wattle_schedule::HANDLER], exports: &[] },
];

/// wasmCloud's contract, and the portable one.
const SQL_POSTGRES: &[&str] =
    &[wattle_postgres::INTERFACES[0], wattle_postgres::INTERFACES[1], wattle_sql::INTERFACES[0]];

impl Shipped {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SHIPPED.iter().find(|shipped| shipped.name == name)
    }

    /// Its binary, beside this command.
    pub(crate) fn binary(&self) -> anyhow::Result<PathBuf> {
        let own = std::env::current_exe().context("where is this command?")?;
        let path =
            own.with_file_name(format!("wattle-{}{}", self.name, std::env::consts::EXE_SUFFIX));
        if path.is_file() {
            return Ok(path);
        }
        let what = format!("the provider {} is not installed: no {}", self.name, path.display());
        Err(Problem::new(Exit::NotFound, what)
            .next(format!("cargo build -p wattle-{}", self.name))
            .into())
    }

    /// Its artifact, signed on first use by the project's account and kept until the binary or the account changes.
    pub(crate) fn artifact(&self, project: &Project, output: Output) -> anyhow::Result<Vec<u8>> {
        let binary = self.binary()?;
        let bytes = read(&binary)?;
        let name: Name = self.name.parse().expect("shipped names are names");
        let interfaces = |names: &[&str]| -> Vec<Interface> {
            names
                .iter()
                .map(|name| name.parse().expect("our contracts' names are interfaces"))
                .collect()
        };
        let draft = Draft {
            name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            imports: interfaces(self.imports),
            exports: interfaces(self.exports),
            binaries: BTreeMap::from([(provider::platform(), bytes)]),
            lasts: None,
        };
        let path = project.artifact(&format!("{}.tar", self.name));
        let account = project.keys().signer(Role::Account)?;
        let kept = std::fs::read(&path).ok().filter(|tar| draft.is_in(tar, &account));
        if let Some(tar) = kept {
            return Ok(tar);
        }
        let step = output.step(&format!("signing provider {}", self.name));
        let tar = draft.sign(project)?;
        file::write_private(&path, &tar)?;
        step.done("signed by the project's account");
        Ok(tar)
    }
}

/// An artifact before it is signed.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: Name,
    pub(crate) version: String,
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    /// By platform, `{os}-{arch}`.
    pub(crate) binaries: BTreeMap<String, Vec<u8>>,
    pub(crate) lasts: Option<Duration>,
}

impl Draft {
    /// Signs and packs it.
    pub(crate) fn sign(&self, project: &Project) -> anyhow::Result<Vec<u8>> {
        let account = project.keys().signer(Role::Account)?;
        let key = project.keys().artifact(Artifact::Provider, &self.name)?;
        let key = key.public_key::<ProviderKey>().context("the provider's key")?;
        let token = super::sign(&account, key.to_string(), self.claims(), self.lasts)?;
        Ok(provider::pack(&token, &self.binaries)?)
    }

    fn claims(&self) -> ProviderClaims {
        let hashes =
            self.binaries.iter().map(|(platform, bytes)| (platform.clone(), digest(bytes)));
        ProviderClaims {
            name: self.name.to_string(),
            version: self.version.clone(),
            imports: self.imports.clone(),
            exports: self.exports.clone(),
            binaries: hashes.collect(),
        }
    }

    /// Whether an artifact was signed from this draft already, by this account.
    pub(crate) fn is_in(&self, tar: &[u8], account: &Signer) -> bool {
        let Ok(peeked) = provider::peek(tar) else { return false };
        let Ok(claims) = peeked.token.peek() else { return false };
        let chain = peeked.token.text().split_once('~').map(|(_, chain)| chain);
        claims.expires.is_none() && claims.body == self.claims() && chain == Some(&account.token)
    }
}

/// What a provider artifact says about itself.
pub(crate) fn claims_in(tar: &[u8], path: &Path) -> anyhow::Result<ProviderClaims> {
    let peeked = provider::peek(tar).map_err(|error| {
        Problem::new(Exit::Denied, format!("{}: {error}", path.display()))
            .next("wattle claims sign provider --help")
    })?;
    let token: Signed<ProviderClaims> = peeked.token;
    Ok(token.peek().with_context(|| path.display().to_string())?.body)
}

/// A file that is to be an artifact, or part of one.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let what = || path.display().to_string();
    let len = std::fs::metadata(path).with_context(what)?.len();
    let max = wattle_lattice::ARTIFACT_LEN_MAX;
    anyhow::ensure!(len <= max as u64, "{} has {len} bytes, an artifact at most {max}", what());
    std::fs::read(path).with_context(what)
}
