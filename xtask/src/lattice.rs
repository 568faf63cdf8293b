//! A lattice of one host in a folder of its own, driven through `wattle` like anyone would.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::repository::{Repository, output, poll, run};

/// A host answers commands within this time.
const HOST_START_MAX: Duration = Duration::from_secs(20);

/// A lattice in a [`Scratch`](crate::scratch::Scratch), which stops it.
pub(crate) struct Lattice<'a> {
    repository: &'a Repository,
    folder: PathBuf,
}

impl<'a> Lattice<'a> {
    /// What `wattle` is told to keep its keys and state in.
    pub(crate) fn in_folder(repository: &'a Repository, folder: &Path) -> Self {
        Self { repository, folder: folder.join(".wattle") }
    }

    /// `wattle`, for this lattice.
    pub(crate) fn wattle(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.repository.command(self.repository.binary("wattle")?);
        command.env("WATTLE_DIR", &self.folder).args(arguments).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs one command, silent unless it fails.
    pub(crate) fn tell(&self, arguments: &[&str]) -> Result<String> {
        output(self.wattle(arguments)?.arg("--quiet"))
    }

    /// Runs one command and reads its JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let text = output(self.wattle(arguments)?.args(["-o", "json"]))?;
        serde_json::from_str(&text)
            .with_context(|| format!("wattle {}: {text}", arguments.join(" ")))
    }

    /// Runs one command for a person to watch.
    pub(crate) fn show(&self, arguments: &[&str]) -> Result<()> {
        println!("\n$ wattle {}", arguments.join(" "));
        run(&mut self.wattle(arguments)?)
    }

    /// Runs one command that is meant to fail, for a person to watch.
    pub(crate) fn show_failing(&self, arguments: &[&str]) -> Result<()> {
        println!("\n$ wattle {}", arguments.join(" "));
        let status = self.wattle(arguments)?.stderr(std::io::stdout()).status()?;
        ensure!(!status.success(), "wattle {} succeeded: it should not have", arguments.join(" "));
        Ok(())
    }

    /// What `WATTLE_DIR` is for this lattice.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it; an error, with the command to run by hand, if some of it may still run.
    pub(crate) fn down(&self) -> Result<()> {
        let mut down = self.wattle(&["down", "--quiet"])?;
        // In a process group of its own: whoever presses Ctrl-C again while it stops would end this, and nothing else would stop it.
        down.process_group(0);
        let folder = self.folder.display();
        let by_hand =
            format!("WATTLE_DIR={folder} {} down", Path::new(down.get_program()).display());
        let failed = || format!("{folder} may still run; to stop it: {by_hand}");
        output(&mut down).map(drop).with_context(failed)
    }

    /// A further host in `folder`, admitted as `wattle host` says how; it ends with the child.
    pub(crate) fn second_host(&self, folder: &Path, name: &str) -> Result<Child> {
        std::fs::create_dir_all(folder)?;
        let file = std::fs::read_to_string(self.folder.join("lattice.json"))?;
        let file: Value = serde_json::from_str(&file)?;
        let operator = file["operator"].as_str().context("lattice.json names no operator")?;
        let nats = nats_url(&file)?;
        let host = |arguments: &[&str]| -> Result<Command> {
            let mut command = self.repository.command(self.repository.binary("wattle")?);
            command.env("WATTLE_DIR", folder.join(".wattle")).current_dir(folder);
            command.args(["host", "--nats-url", &nats, "--trust", operator, "--name", name]);
            command.args(arguments).stdin(Stdio::null());
            Ok(command)
        };
        let refused = String::from_utf8(host(&[])?.output()?.stderr)?;
        let mut words = refused.split(|c: char| !c.is_ascii_alphanumeric());
        let key = words.find(|word| word.len() == 56 && word.starts_with('N'));
        let key = key.with_context(|| format!("wattle host names no key: {refused}"))?;
        let token = folder.join("host.jwt").to_string_lossy().into_owned();
        self.tell(&["claims", "sign", "host", key, "--name", name, "--out", &token])?;
        let log = std::fs::File::create(folder.join("host.log"))?;
        let child = host(&["--token", &token])?.stdout(Stdio::null()).stderr(log).spawn()?;
        poll(&format!("host {name}"), HOST_START_MAX, || {
            Ok(self.tell(&["get", "inventory", "--host", key]).ok())
        })?;
        Ok(child)
    }

    /// The lattice's NATS, with user and password.
    pub(crate) fn nats_url(&self) -> Result<String> {
        let file = std::fs::read_to_string(self.folder.join("lattice.json"))?;
        nats_url(&serde_json::from_str(&file)?)
    }

    /// The process of the lattice's nats-server.
    pub(crate) fn nats_process(&self) -> Result<(String, u32)> {
        let file = std::fs::read_to_string(self.folder.join("lattice.json"))?;
        let pid = serde_json::from_str::<Value>(&file)?["nats_pid"].as_u64();
        Ok(("nats-server".to_owned(), u32::try_from(pid.context("no nats-server of its own")?)?))
    }

    /// Process ids of the host and of each provider, by name.
    pub(crate) fn processes(&self) -> Result<Vec<(String, u32)>> {
        let file = std::fs::read_to_string(self.folder.join("lattice.json"))?;
        let host = serde_json::from_str::<Value>(&file)?["hosts"][0]["pid"].as_u64();
        let host = host.context("lattice.json names no host")?;
        let inventory = self.ask(&["get", "inventory"])?;
        let providers = providers(&inventory);
        let providers = providers.iter().filter_map(|provider| {
            let pid = provider["state"]["ready"]["pid"].as_u64()?;
            Some((provider["id"].as_str()?.to_owned(), u32::try_from(pid).ok()?))
        });
        Ok([("host".to_owned(), u32::try_from(host)?)].into_iter().chain(providers).collect())
    }
}

fn nats_url(file: &Value) -> Result<String> {
    let of =
        |name: &str| file["nats"][name].as_str().with_context(|| format!("NATS has no {name}"));
    let server = of("url")?.trim_start_matches("nats://");
    Ok(format!("nats://{}:{}@{server}", of("user")?, of("password")?))
}

/// An inventory is printed alone or in a list of one per host.
pub(crate) fn providers(inventory: &Value) -> Vec<Value> {
    of_hosts(inventory, "providers")
}

/// The actors of an inventory.
pub(crate) fn actors(inventory: &Value) -> Vec<Value> {
    of_hosts(inventory, "actors")
}

fn of_hosts(inventory: &Value, what: &str) -> Vec<Value> {
    let hosts = inventory.as_array().map_or(std::slice::from_ref(inventory), Vec::as_slice);
    hosts.iter().filter_map(|host| host[what].as_array()).flatten().cloned().collect()
}
