//! The folder that `wattle nats init` writes: what was handed out stays, configuration is written anew only when it is wanted.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand::{Rng, distr::Alphanumeric};
use wattle_claims::{KeyKind, KeyPair};
use wattle_core::Name;

use crate::{
    exit::Exit,
    problem::Problem,
    project::{file, keys::read_key},
};

/// Letters and digits of a password: about 190 bits, so that nothing is gained by hiding it behind bcrypt in a private file.
const PASSWORD_LEN: usize = 32;

/// The folder of a server's configuration, private to the user.
pub(super) struct Folder {
    path: PathBuf,
    force: bool,
}

impl Folder {
    pub(super) fn open(path: &Path, force: bool) -> anyhow::Result<Self> {
        file::create_folder(path)?;
        let path = path.canonicalize().with_context(|| path.display().to_string())?;
        Ok(Self { path, force })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses to go on where a configuration is that nobody said to replace: before anything is written.
    pub(super) fn is_free(&self, config: &str) -> anyhow::Result<()> {
        let path = self.path.join(config);
        if path.exists() && !self.force {
            let problem = Problem::new(Exit::Conflict, format!("{} is there", path.display()));
            return Err(problem.next("--force writes it anew; keys and certificates stay").into());
        }
        Ok(())
    }

    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        file::write_private(&self.path.join(name), text.as_bytes())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// The public half of a NATS user's key, which is made if it is not there: its seed is the credential that is handed out.
    pub(super) fn nkey(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path.join(name);
        if let Some(key) = read_key(&path, KeyKind::User)? {
            return Ok(key.public());
        }
        let key = KeyPair::generate(KeyKind::User);
        file::write_private(&path, key.seed().as_bytes())?;
        Ok(key.public())
    }

    /// The password of a login, which is made if it is not there: one line, `NAME:PASSWORD`.
    pub(super) fn password(&self, file: &str, name: &Name) -> anyhow::Result<String> {
        let path = self.path.join(file);
        let kept = file::read_small(&path)?;
        if let Some((_, password)) = kept.as_deref().and_then(|login| login.split_once(':')) {
            return Ok(password.to_owned());
        }
        let random = rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LEN);
        let password: String = random.map(char::from).collect();
        self.write(file, &format!("{name}:{password}\n"))?;
        Ok(password)
    }
}

/// A text as NATS's configuration quotes it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
