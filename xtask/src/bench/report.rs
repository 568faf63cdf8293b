//! What the benchmark writes.

use std::{fmt::Write as _, fs};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    first_call::Starts,
    samples::{Row, rounded},
};

/// What each letter stands for.
const TITLES: [(&str, &str); 13] = [
    ("a", "bare hyper"),
    ("b", "one process: hyper and the component in wasmtime"),
    ("c", "**Wattle**: http-server, host"),
    ("d", "**Wattle** on two hosts: http-server and host, NATS, host with the actor"),
    ("e", "**Wattle**: http-server, host, keyvalue-redis, on Redis"),
    ("f", "one process: hyper, the component and a Redis client"),
    ("g", "two processes: hyper, NATS, an answer without Wasm"),
    ("h", "hyper and a Redis client"),
    ("i", "**Wattle** on two hosts: `e` with keyvalue-redis on the other host"),
    ("j", "**Wattle**: http-server, host, sql-postgres: a query"),
    ("k", "hyper and a PostgreSQL client: a query"),
    ("l", "**Wattle**: http-server, host, sql-postgres: a prepared statement"),
    ("m", "hyper and a PostgreSQL client: a prepared statement"),
];

/// Everything that was measured.
pub(crate) struct Report {
    rows: Vec<Row>,
    starts: Option<Starts>,
    rounds: u32,
    seconds: u32,
}

/// One promise: a ratio of two rows, and what it should be.
struct Target {
    what: &'static str,
    ratio: f64,
    wanted: &'static str,
    kept: bool,
}

impl Report {
    pub(crate) fn new(rows: Vec<Row>, starts: Option<Starts>, rounds: u32, seconds: u32) -> Self {
        Self { rows, starts, rounds, seconds }
    }

    fn row(&self, id: &str, connections: u32) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id && row.connections == connections)
    }

    fn targets(&self) -> Vec<Target> {
        let of = |id, connections, value: fn(&Row) -> f64| self.row(id, connections).map(value);
        let rps: fn(&Row) -> f64 = |row| row.rps;
        let p50: fn(&Row) -> f64 = |row| row.p50_us;
        let at_least = |what, over: (Option<f64>, Option<f64>), limit: f64, wanted| {
            let ratio = over.0? / over.1?;
            Some(Target { what, ratio, wanted, kept: ratio >= limit })
        };
        let at_most = |what, over: (Option<f64>, Option<f64>), limit: f64, wanted| {
            let ratio = over.0? / over.1?;
            Some(Target { what, ratio, wanted, kept: ratio <= limit })
        };
        [
            at_least(
                "c / b, requests/s at 64",
                (of("c", 64, rps), of("b", 64, rps)),
                0.85,
                "≥ 0.85",
            ),
            at_least(
                "c / a, requests/s at 64",
                (of("c", 64, rps), of("a", 64, rps)),
                0.25,
                "≥ 0.25",
            ),
            at_least(
                "e / f, requests/s at 64",
                (of("e", 64, rps), of("f", 64, rps)),
                0.6,
                "≥ 0.60",
            ),
            at_least(
                "d / g, requests/s at 64",
                (of("d", 64, rps), of("g", 64, rps)),
                0.4,
                "≥ 0.40",
            ),
            at_least(
                "j / k, requests/s at 64",
                (of("j", 64, rps), of("k", 64, rps)),
                0.4,
                "≥ 0.40",
            ),
            at_least(
                "l / m, requests/s at 64",
                (of("l", 64, rps), of("m", 64, rps)),
                0.4,
                "≥ 0.40",
            ),
            at_most("c / b, p50 at 1", (of("c", 1, p50), of("b", 1, p50)), 2.0, "≤ 2.00"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The rows and the ratios, as Markdown tables.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from(
            "| | connections | requests/s (lowest to highest round) | p50 µs | p99 µs | CPU s per 10k | resident MB |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
        );
        for row in &self.rows {
            let title = TITLES.iter().find(|(id, _)| *id == row.id).map_or("", |(_, title)| title);
            let memory: Vec<String> =
                row.rss_mb.iter().map(|(name, mb)| format!("{name} {mb:.0}")).collect();
            let variant =
                if row.variant.is_empty() { String::new() } else { format!(" ({})", row.variant) };
            let _: Result<(), std::fmt::Error> = writeln!(
                text,
                "| `{}` {title}{variant} | {} | {:.0} ({:.0} to {:.0}) | {:.0} | {:.0} | {:.3} | {} |",
                row.id,
                row.connections,
                row.rps,
                row.spread.0,
                row.spread.1,
                row.p50_us,
                row.p99_us,
                row.cpu_s_per_10k,
                memory.join(", "),
            );
        }
        text.push_str("\n| ratio | wanted | measured | |\n| --- | --- | ---: | --- |\n");
        for target in self.targets() {
            let kept = if target.kept { "kept" } else { "**missed**" };
            let Target { what, ratio, wanted, .. } = target;
            text.push_str(&format!("| {what} | {wanted} | {ratio:.2} | {kept} |\n"));
        }
        text.push_str(&self.first_call());
        text
    }

    fn first_call(&self) -> String {
        let Some(starts) = &self.starts else { return String::new() };
        let mut text = format!(
            "\nFrom `wattle start actor` to its first answer over HTTP: {:.0} ms when the component is compiled, {:.0} ms when its \
             compiled code is in the host's cache.\n",
            starts.compiled_ms, starts.cached_ms
        );
        if let (Some(compile), Some(load)) = (starts.compile_only_us, starts.load_only_us) {
            text.push_str(&format!(
                "Of that the host spent {:.1} ms on compiling, or {:.2} ms on loading: {:.0} times less.\n",
                compile / 1_000.0,
                load / 1_000.0,
                compile / load
            ));
        }
        text
    }

    /// The JSON of `--json`.
    pub(crate) fn json(&self) -> Result<String> {
        let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        let ratios: Vec<Value> = self
            .targets()
            .iter()
            .map(|target| {
                json!({
                    "what": target.what,
                    "ratio": rounded(target.ratio, 3),
                    "wanted": target.wanted,
                    "kept": target.kept,
                })
            })
            .collect();
        let first_call = self.starts.as_ref().map(Starts::to_json);
        let all = json!({
            "rows": rows,
            "ratios": ratios,
            "first_call": first_call,
            "machine": machine(),
            "rounds": self.rounds,
            "seconds": self.seconds,
        });
        Ok(serde_json::to_string_pretty(&all)? + "\n")
    }

    /// `docs/benchmarks.md`.
    pub(crate) fn markdown(&self) -> String {
        format!(
            "# Benchmarks\n\n\
             Written by `cargo xtask bench`; do not edit. What counts are the ratios of one run: all rows share the machine with the \
             load generator and with each other's rounds.\n\n\
             - Machine: {}\n\
             - wrk on the same machine, {} interleaved rounds of {} s each, medians. A single failed request fails the run.\n\
             - `b` and `f` are honest twins of `c` and `e`: the same component, the same engine settings and pool, a fresh instance \
             per request, the better of one multi-thread runtime (multi) and one current-thread runtime per core (lanes).\n\
             - `j` to `m` read a row by its key from one PostgreSQL over 8 connections; `k` and `m` keep the statement prepared on each of them.\n\
             - CPU is that of all the row's processes, Redis included, PostgreSQL and wrk not.\n\n{}",
            machine(),
            self.rounds,
            self.seconds,
            self.table()
        )
    }
}

/// Processor, cores, memory, kernel.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let model = field(&cpu, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let kib = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|value| value.strip_suffix(" kB")?.parse::<f64>().ok())
        .unwrap_or(0.0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} x {model}, {:.0} GiB, Linux {}", kib / 1_048_576.0, kernel.trim())
}
