//! `cargo xtask demo`: from nothing to a counter that counts over HTTP, each command shown with its answer.

use std::{net::TcpListener, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::{
    build, interrupts::Interrupts, lattice::Lattice, repository::Repository, scratch::Scratch,
    tools,
};

/// Where the demo's counter listens if nobody else does, and behind it the other one.
const PORT: u16 = 8080;

/// Installs what is missing, builds, starts, shows, serves until Ctrl-C, and takes everything away again.
pub(crate) fn run(repository: &mut Repository) -> Result<ExitCode> {
    tools::nats_server(repository)?;
    build::workspace(repository)?;
    let scratch = Scratch::take(repository, "demo")?;
    // From here on Ctrl-C must not end us before we have stopped what we started; while cargo builds it may.
    let mut interrupts = Interrupts::hold()?;
    let served = serve(repository, scratch.folder(), &mut interrupts);
    let removed = scratch.remove();
    if let (Err(error), Err(_)) = (&served, &removed) {
        eprintln!("{error:#}"); // what is left running is what to do something about
    }
    removed.and(served)?;
    println!("Nothing is left running.");
    Ok(ExitCode::SUCCESS)
}

fn serve(repository: &Repository, folder: &Path, interrupts: &mut Interrupts) -> Result<()> {
    let lattice = Lattice::in_folder(repository, folder);
    let shown = show_everything(&lattice);
    if shown.is_ok() {
        interrupts.wait();
        println!("\nStopping everything; calls under way may finish.");
    } else if interrupts.came() {
        println!("\nInterrupted.");
        return Ok(()); // what failed did so because of it
    }
    shown
}

fn show_everything(lattice: &Lattice<'_>) -> Result<()> {
    let folder = lattice.folder().parent().context("a lattice's folder is in one")?.to_owned();
    say("A lattice of two hosts, with keys and state in a folder of its own.");
    lattice.show(&["up", "-d"])?;
    lattice.show(&["up", "-d", "--name", "second"])?;

    say("Two actors: compiled to components, and signed for exactly what they import and export.");
    for package in build::EXAMPLES {
        lattice.show(&["build", package])?;
    }

    say("What is to run, where, and who may call whom, a manifest says. What would it do?");
    let counter = Manifest::of("examples/keyvalue-counter", &folder, "127.0.0.1:8081", PORT)?;
    println!("\n$ cat {}\n{}", counter.path, counter.text.trim_end());
    lattice.show(&["app", "plan", &counter.path])?;

    say("Deploying it shows what it grants, signs that, and returns when everything answers.");
    lattice.show(&["app", "deploy", &counter.path])?;
    for _ in 0..2 {
        curl(&format!("http://{}/", counter.address))?;
    }

    say("What no link allows is denied: the http-server may call the counter, and not its store.");
    lattice.show_failing(&["why", "counter/web", "counter/store", "wasi:keyvalue/store"])?;

    say(
        "A second application beside it, and a new version of the first: another number of calls at once.",
    );
    let hello = Manifest::of("examples/http-hello", &folder, "127.0.0.1:8080", PORT + 1)?;
    lattice.show(&["app", "deploy", &hello.path])?;
    curl(&format!("http://{}/", hello.address))?;
    counter.rewrite("instances: 100", "instances: 60")?;
    lattice.show(&["app", "deploy", &counter.path])?;
    lattice.show(&["app", "history", "counter"])?;

    say("And back. The store goes on meanwhile, so that the count does.");
    lattice.show(&["app", "rollback", "counter"])?;
    curl(&format!("http://{}/", counter.address))?;
    lattice.show(&["app", "status", "counter"])?;
    lattice.show(&["app", "list"])?;
    println!(
        "\nFrom another terminal, `WATTLE_DIR={} target/debug/wattle …` does more with it.\n\
         It serves until Ctrl-C, which stops everything and removes it. The counter:\n\n  http://{}/\n",
        lattice.folder().display(),
        counter.address
    );
    Ok(())
}

/// An example's manifest, in the demo's folder, with an address that is free.
struct Manifest {
    path: String,
    text: String,
    address: String,
}

impl Manifest {
    fn of(example: &str, folder: &Path, address: &str, wanted: u16) -> Result<Self> {
        let source = std::path::absolute(example)?;
        let text = std::fs::read_to_string(source.join("wadm.yaml"))?;
        let (files, own) = ("file:build/", format!("file:{}/build/", source.display()));
        ensure!(text.contains(address) && text.contains(files), "{example}/wadm.yaml has changed");
        let free = format!("127.0.0.1:{}", port(wanted)?);
        let text = text.replace(address, &free).replace(files, &own);
        let name = example.rsplit('/').next().unwrap_or(example);
        let path = folder.join(format!("{name}.yaml")).to_string_lossy().into_owned();
        std::fs::write(&path, &text)?;
        Ok(Self { path, text, address: free })
    }

    fn rewrite(&self, old: &str, new: &str) -> Result<()> {
        ensure!(self.text.contains(old), "{} has changed", self.path);
        Ok(std::fs::write(&self.path, self.text.replace(old, new))?)
    }
}

fn say(what: &str) {
    println!("\n# {what}");
}

fn curl(url: &str) -> Result<()> {
    println!("\n$ curl {url}");
    let answer = crate::http::get(url)?;
    println!("{}", answer.trim_end());
    Ok(())
}

/// The usual port, or one that is free.
fn port(usual: u16) -> Result<u16> {
    if TcpListener::bind(("127.0.0.1", usual)).is_ok() {
        return Ok(usual);
    }
    let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    eprintln!("port {usual} is taken: using {free}");
    Ok(free)
}
