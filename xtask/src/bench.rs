//! `cargo xtask bench`: how much of one process's speed is left when the work is split between isolated processes.

mod contestants;
mod first_call;
mod process;
mod report;
mod samples;
mod wrk;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    build,
    interrupts::Interrupts,
    repository::{Repository, step},
    scratch::Scratch,
    tools,
};

use contestants::{Contestant, Field};
use samples::{Row, Samples};
use wrk::Wrk;

/// One client that waits for each answer, and enough of them to keep every core busy.
const CONNECTIONS: [u32; 2] = [1, 64];

/// The letters of all rows, and of the starts.
const ALL: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", STARTS];

const STARTS: &str = "s";

struct Options {
    json: Option<PathBuf>,
    rounds: u32,
    seconds: u32,
    only: String,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { json: None, rounds: 5, seconds: 4, only: ALL.concat() };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--json" => options.json = Some(std::path::absolute(value)?),
                "--rounds" => options.rounds = value.parse().context("--rounds")?,
                "--seconds" => options.seconds = value.parse().context("--seconds")?,
                "--only" => options.only.clone_from(value),
                _ => bail!("there is no option {name}; --json, --rounds, --seconds and --only are"),
            }
        }
        Ok(options)
    }
}

/// Measures, writes the JSON, and rewrites `docs/benchmarks.md` if everything was measured.
pub(crate) fn run(repository: &mut Repository, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    tools::nats_server(repository)?;
    tools::debian(repository, &["redis-server", "postgres", "initdb", "wrk"])?;
    build::workspace(repository)?;
    build::examples(repository)?;
    let scratch = Scratch::take(repository, "bench")?;
    let folder = scratch.folder();
    // From here on Ctrl-C must not end us before we have stopped what we started.
    let mut interrupts = Interrupts::hold()?;
    step("starting everything that is measured");
    let field = Field::start(repository, folder, &options.only)?;
    let rows = measure(repository, folder, &field.contestants, &options, &mut interrupts)?;
    scratch.stop()?;
    drop(field);
    let everything = ALL.iter().all(|id| options.only.contains(id));
    let starts = options
        .only
        .contains(STARTS)
        .then(|| first_call::measure(repository, folder, &mut interrupts))
        .transpose()?;
    let report = report::Report::new(rows, starts, options.rounds, options.seconds);
    print!("\n{}", report.table());
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()?)
            .with_context(|| format!("writing {}", path.display()))?;
        println!("\nwrote {}", path.display());
    }
    if everything {
        std::fs::write(repository.file("docs/benchmarks.md"), report.markdown())?;
        println!("wrote docs/benchmarks.md");
    }
    scratch.remove()?;
    Ok(ExitCode::SUCCESS)
}

/// Rounds over all contestants, each round beginning with another one: what the machine does meanwhile meets all alike.
fn measure(
    repository: &Repository,
    folder: &std::path::Path,
    contestants: &[Contestant],
    options: &Options,
    interrupts: &mut Interrupts,
) -> Result<Vec<Row>> {
    let wrk = Wrk::new(repository, folder)?;
    for contestant in contestants {
        wrk.measure(&contestant.url, 64, 1).context("warming up")?;
    }
    let cases: Vec<(&Contestant, u32)> = contestants
        .iter()
        .flat_map(|who| CONNECTIONS.map(|connections| (who, connections)))
        .collect();
    let mut samples: Vec<Samples> = cases.iter().map(|_| Samples::default()).collect();
    for round in 0..options.rounds as usize {
        step(format_args!("round {} of {}", round + 1, options.rounds));
        for turn in 0..cases.len() {
            ensure!(!interrupts.came(), "interrupted");
            let index = (turn + round * 3) % cases.len();
            let (who, connections) = cases[index];
            measure_once(&wrk, who, connections, options.seconds, &mut samples[index])?;
        }
    }
    let rows = cases.iter().zip(&samples);
    let rows =
        rows.map(|((who, connections), samples)| samples.row(who.id, who.variant, *connections));
    Ok(samples::best(rows.collect()))
}

fn measure_once(
    wrk: &Wrk<'_>,
    who: &Contestant,
    connections: u32,
    seconds: u32,
    samples: &mut Samples,
) -> Result<()> {
    let before = process::cpu_seconds(&who.processes)?;
    let sample = wrk.measure(&who.url, connections, seconds)?;
    let cpu = process::cpu_seconds(&who.processes)? - before;
    let rss = who.processes.iter().map(|(name, pid)| Ok((name.clone(), process::rss_mb(*pid)?)));
    samples.add(&sample, cpu, rss.collect::<Result<_>>()?);
    eprintln!(
        "{} {:5} {connections:3} connections: {:8.0} requests/s, p50 {:6.0} µs, p99 {:6.0} µs",
        who.id, who.variant, sample.rps, sample.p50_us, sample.p99_us
    );
    Ok(())
}
