//! The keys of a project: the development chain operator → account → user, and one key per artifact. Several commands may want keys at
//! once: what one of them makes the others use.

use std::{
    fs,
    path::{Path, PathBuf},
};

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
    const ALL: [Self; 3] = [Self::Operator, Self::Account, Self::User];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
        }
    }

    fn file(self, extension: &str) -> String {
        format!("{}.{extension}", self.as_str())
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
        self.dir.join(role.file(extension))
    }

    /// Held while keys are made.
    fn lock(&self) -> anyhow::Result<file::Lock> {
        file::Lock::wait(&self.dir.with_extension("lock"))
    }

    /// Makes the development chain if the project has no key of it at all; a project that was given a user's key only is left
    /// as it is. Returns whether it was made.
    ///
    /// It is made in a folder of its own, which gets another name when it is whole: from then on it is the chain, and whatever ends us
    /// while it is moved to where keys are, the next command goes on with that. Both folders are among the keys, which may be on a file
    /// system of their own.
    pub(crate) fn ensure_chain(&self, now: Timestamp) -> anyhow::Result<bool> {
        let (new, whole) = (self.dir.join(".new"), self.dir.join(".whole"));
        let has_key = || Role::ALL.iter().any(|&role| self.path(role, "nk").exists());
        // In this order: where a key is and no whole chain any more, all of it is there. So nobody has to be able to write here.
        if has_key() && !whole.exists() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        if !whole.is_dir() {
            if has_key() {
                return Ok(false);
            }
            make_chain(&new, now)?;
            fs::rename(&new, &whole).with_context(|| whole.display().to_string())?;
        }
        self.take_over(&whole).with_context(|| whole.display().to_string())?;
        Ok(true)
    }

    fn take_over(&self, whole: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(whole)? {
            let entry = entry?;
            let path = self.dir.join(entry.file_name());
            // Somebody's own, put there since.
            let is_seed = path.extension().is_some_and(|extension| extension == "nk");
            anyhow::ensure!(!(is_seed && path.exists()), "{} is there already", path.display());
            fs::rename(entry.path(), path)?;
        }
        Ok(fs::remove_dir(whole)?)
    }

    /// The key of an artifact, made on first use: the same name keeps its identity from build to build.
    pub(crate) fn artifact(&self, artifact: Artifact, name: &Name) -> anyhow::Result<KeyPair> {
        let path = self.artifact_path(artifact, name);
        if let Some(key) = read_key(&path, artifact.kind())? {
            return Ok(key);
        }
        let _lock = self.lock()?;
        if let Some(made_meanwhile) = read_key(&path, artifact.kind())? {
            return Ok(made_meanwhile);
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
        for role in Role::ALL {
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
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
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

/// The whole chain, in a folder that has nothing else.
fn make_chain(folder: &Path, now: Timestamp) -> anyhow::Result<()> {
    if folder.is_dir() {
        // Whoever began it was ended, and nobody has used it.
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let operator = make_operator(now)?;
    let audience = Audience {
        operator: operator.key.public_key::<OperatorKey>().context("the operator's key")?,
        lattice: None,
    };
    let account = make_account(&operator, &audience, now)?;
    let user = make_user(&account, &audience, now)?;
    for (role, signer) in Role::ALL.into_iter().zip([&operator, &account, &user]) {
        file::write_private(&folder.join(role.file("jwt")), signer.token.as_bytes())?;
        file::write_private(&folder.join(role.file("nk")), signer.key.seed().as_bytes())?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use wattle_claims::Signed;

    use super::*;

    fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::new(folder.path().join("keys"));
        (folder, keys)
    }

    /// Operator and account say what the next one's token says of them.
    fn assert_one_chain(keys: &Keys) {
        let signer = |role| keys.signer(role).expect("it is there");
        let (account, user) = (signer(Role::Account), signer(Role::User));
        let of_account = Signed::<AccountClaims>::parse(&account.token).expect("a token");
        let of_user = Signed::<UserClaims>::parse(&user.token).expect("a token");
        let (of_account, of_user) = (of_account.peek().expect("it"), of_user.peek().expect("it"));
        assert_eq!(of_account.issuer, signer(Role::Operator).key.public());
        assert_eq!(of_account.subject, account.key.public());
        assert_eq!(of_user.issuer, account.key.public());
        assert_eq!(of_user.subject, user.key.public());
        assert!(user.token.ends_with(&account.token), "it carries its chain");
    }

    #[test]
    fn those_who_need_a_chain_at_once_have_the_same_one() {
        let (_folder, keys) = keys();
        let name: Name = "counter".parse().expect("a name");
        let made: Vec<(bool, String)> = std::thread::scope(|scope| {
            let one = || {
                let made = keys.ensure_chain(Timestamp::now()).expect("made, or there");
                assert_one_chain(&keys);
                (made, keys.artifact(Artifact::Actor, &name).expect("made, or there").public())
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().expect("no panic")).collect()
        });
        assert_eq!(made.iter().filter(|(made, _)| *made).count(), 1);
        assert!(made.iter().all(|(_, actor)| *actor == made[0].1), "{made:?}");
    }

    #[test]
    fn a_chain_that_was_being_made_is_made_anew_and_a_whole_one_is_put_in_its_place() {
        let (_folder, keys) = keys();
        let name = "counter".parse().expect("a name");
        keys.artifact(Artifact::Actor, &name).expect("made");
        file::write_private(&keys.dir.join(".new/operator.nk"), b"half").expect("written");
        assert!(keys.ensure_chain(Timestamp::now()).expect("made"));
        assert_one_chain(&keys);
        assert!(!keys.dir.join(".new").exists());

        let operator = keys.signer(Role::Operator).expect("it is there").key.public();
        for role in [Role::Account, Role::User] {
            for extension in ["jwt", "nk"] {
                let name = role.file(extension);
                let whole = keys.dir.join(".whole");
                file::create_folder(&whole).expect("made");
                fs::rename(keys.dir.join(&name), whole.join(&name)).expect("moved");
            }
        }
        assert!(keys.ensure_chain(Timestamp::now()).expect("put in its place"));
        assert_one_chain(&keys);
        assert_eq!(keys.signer(Role::Operator).expect("it is there").key.public(), operator);
        assert!(!keys.ensure_chain(Timestamp::now()).expect("it is there"));
    }

    #[test]
    fn a_project_that_has_a_users_key_only_is_left_as_it_is() {
        let (folder, keys) = keys();
        keys.ensure_chain(Timestamp::now()).expect("made");
        for name in ["operator.nk", "operator.jwt", "account.nk", "account.jwt"] {
            fs::remove_file(folder.path().join("keys").join(name)).expect("removed");
        }
        let lock = folder.path().join("keys.lock");
        fs::remove_file(&lock).expect("removed");
        assert!(!keys.ensure_chain(Timestamp::now()).expect("left"));
        assert!(!lock.exists(), "nothing is written where nothing is made");
        assert!(keys.signer(Role::Account).is_err());
        keys.signer(Role::User).expect("it is there");
    }
}
