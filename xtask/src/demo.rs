//! `cargo xtask demo`: from nothing to a counter that counts over HTTP, each command shown with its answer.

use std::{net::TcpListener, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{build, lattice::Lattice, repository::Repository, tools};

/// Where the demo listens if nobody else does.
const PORT: u16 = 8080;

/// Installs what is missing, builds, starts, shows, serves until Ctrl-C, and takes everything away again.
pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    tools::nats_server(repository)?;
    build::workspace(repository)?;
    // From here on Ctrl-C must not end us before we have stopped what we started; while cargo builds it may.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for Ctrl-C")?;
    let folder = repository.scratch("demo")?;
    let served = serve(repository, &folder, &mut signals);
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    served?;
    println!("Nothing is left running.");
    Ok(ExitCode::SUCCESS)
}

fn serve(repository: &Repository, folder: &Path, signals: &mut Signals) -> Result<()> {
    let lattice = Lattice::in_folder(repository, folder);
    let shown = show_everything(&lattice);
    if shown.is_ok() {
        signals.forever().next();
        println!();
    } else if signals.pending().next().is_some() {
        println!("\nInterrupted.");
        return Ok(()); // what failed did so because of it
    }
    shown
}

fn show_everything(lattice: &Lattice<'_>) -> Result<()> {
    const HTTP: &str = "wasi:http/incoming-handler";
    const KEY_VALUE: &str = "wasi:keyvalue/store,wasi:keyvalue/atomics";
    let address = format!("127.0.0.1:{}", port()?);
    let at = format!("address={address}");

    say("A lattice of one host, with keys and state in a folder of its own.");
    lattice.show(&["up", "-d"])?;

    say("Two actors: compiled to components, and signed for exactly what they import and export.");
    for package in build::EXAMPLES {
        lattice.show(&["build", package])?;
    }

    say(
        "Two providers, each a process of its own: one speaks HTTP, one keeps keys and values in a file.",
    );
    lattice.show(&["start", "provider", "http-server"])?;
    lattice.show(&["start", "provider", "keyvalue-embedded"])?;

    say("The actors run, and nobody may call anybody: a link is what allows it.");
    for package in build::EXAMPLES {
        let name = package.rsplit('/').next().unwrap_or(package);
        lattice.show(&[
            "start",
            "actor",
            &format!("{package}/build/{name}.signed.wasm"),
            "--id",
            name,
        ])?;
    }
    for (path, actor) in [("path=/hello", "http-hello"), ("path=/counter", "keyvalue-counter")] {
        lattice.show(&[
            "link",
            "put",
            "http-server",
            actor,
            HTTP,
            "--source",
            &at,
            "--source",
            path,
        ])?;
    }

    say("The counter answers, but it may not reach its store yet. Ask why, then allow it.");
    lattice.show_failing(&[
        "why",
        "keyvalue-counter",
        "keyvalue-embedded",
        "wasi:keyvalue/store",
    ])?;
    lattice.show(&["link", "put", "keyvalue-counter", "keyvalue-embedded", KEY_VALUE])?;

    say("Over HTTP.");
    for path in ["hello", "counter", "counter"] {
        curl(&format!("http://{address}/{path}"))?;
    }
    lattice.show(&["get", "inventory"])?;
    lattice.show(&["get", "links"])?;
    println!(
        "\nFrom another terminal, `WATTLE_DIR={} target/debug/wattle …` does more with it.\n\
         It serves until Ctrl-C, which stops everything and removes it. The counter:\n\n  http://{address}/counter\n",
        lattice.folder().display()
    );
    Ok(())
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
fn port() -> Result<u16> {
    if TcpListener::bind(("127.0.0.1", PORT)).is_ok() {
        return Ok(PORT);
    }
    let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    eprintln!("port {PORT} is taken: using {free}");
    Ok(free)
}
