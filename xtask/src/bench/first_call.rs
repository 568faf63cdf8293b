//! How long an actor takes to its first answer: compiled, and from the cache of compiled code.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{contestants::free_port, samples::median};
use crate::{
    build, http,
    interrupts::Interrupts,
    lattice::{Lattice, actors},
    repository::{Repository, poll},
};

/// Starts of each kind, of which the median counts.
const STARTS: usize = 11;

const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The medians, in milliseconds.
pub(crate) struct Starts {
    /// `wattle start actor` and the first answer, with nothing cached.
    pub(crate) compiled_ms: f64,
    /// The same, with the compiled code in the host's cache.
    pub(crate) cached_ms: f64,
    /// What of it the host spent on compiling, as its log says; absent if it does not say.
    pub(crate) compile_only_us: Option<f64>,
    /// What of it the host spent on loading compiled code.
    pub(crate) load_only_us: Option<f64>,
}

impl Starts {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "compiled_ms": self.compiled_ms,
            "cached_ms": self.cached_ms,
            "compile_only_us": self.compile_only_us,
            "load_only_us": self.load_only_us,
        })
    }
}

/// Starts and stops the counter's component again and again on one host, each time with and without its compiled code.
pub(crate) fn measure(
    repository: &Repository,
    folder: &Path,
    interrupts: &mut Interrupts,
) -> Result<Starts> {
    let folder = folder.join("starts");
    std::fs::create_dir_all(&folder)?;
    let lattice = Lattice::in_folder(repository, &folder);
    lattice.tell(&["up", "-d"])?;
    lattice.tell(&["start", "provider", "http-server"])?;
    lattice.tell(&["build", "examples/http-hello"])?;
    let signed =
        build::component(repository, "examples/http-hello")?.to_string_lossy().into_owned();
    let address = format!("127.0.0.1:{}", free_port()?);
    lattice.tell(&["start", "actor", &signed, "--id", "hello"])?;
    let url = format!("http://{address}/");
    let setting = format!("address={address}");
    let http = "wasi:http/incoming-handler";
    lattice.tell(&["link", "put", "http-server", "hello", http, "--source", &setting])?;
    let (mut compiled, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        for (from_cache, samples) in [(false, &mut compiled), (true, &mut cached)] {
            ensure!(!interrupts.came(), "interrupted");
            lattice.tell(&["stop", "actor", "hello"])?;
            if !from_cache {
                std::fs::remove_dir_all(folder.join(".wattle/host/cache/compiled"))?;
                std::fs::create_dir_all(folder.join(".wattle/host/cache/compiled"))?;
            }
            let started = Instant::now();
            lattice.tell(&["start", "actor", &signed, "--id", "hello"])?;
            poll("the first answer", ANSWER_MAX, || Ok(http::get(&url).ok()))?;
            samples.push(started.elapsed().as_secs_f64() * 1_000.0);
            let status = actors(&lattice.ask(&["get", "inventory"])?);
            let said = status.first().and_then(|actor| actor["compiled-from-cache"].as_bool());
            ensure!(said == Some(from_cache), "the actor was not started as intended: {status:?}");
        }
    }
    let [compile_only_us, load_only_us] = host_times(&folder)?;
    Ok(Starts {
        compiled_ms: median(&compiled),
        cached_ms: median(&cached),
        compile_only_us,
        load_only_us,
    })
}

/// What the host's log says of each start: `"actor code ready"` with `from_cache` and `took_us`.
fn host_times(folder: &Path) -> Result<[Option<f64>; 2]> {
    let log = std::fs::read_to_string(folder.join(".wattle/logs/host.log"))?;
    let of = |from_cache: &str| {
        let lines = log.lines().filter(|line| line.contains(&format!("from_cache={from_cache}")));
        let times: Vec<f64> = lines.filter_map(took_us).collect();
        (!times.is_empty()).then(|| median(&times))
    };
    Ok([of("false"), of("true")])
}

fn took_us(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once("took_us=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
