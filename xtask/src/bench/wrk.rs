//! One measurement with wrk.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::repository::{Repository, output};

/// wrk's own figures, unrounded; its text output has only two significant digits.
const SCRIPT: &str = r#"
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nwattle {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"#;

/// wrk, ready to run.
pub(crate) struct Wrk<'a> {
    repository: &'a Repository,
    script: PathBuf,
}

/// What one run gave.
pub(crate) struct Sample {
    pub(crate) requests: f64,
    pub(crate) rps: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl<'a> Wrk<'a> {
    /// Keeps its script in `folder`.
    pub(crate) fn new(repository: &'a Repository, folder: &Path) -> Result<Self> {
        let script = folder.join("wrk.lua");
        std::fs::write(&script, SCRIPT)?;
        Ok(Self { repository, script })
    }

    /// Sends requests for so many seconds. A single response that is not a success fails the measurement.
    pub(crate) fn measure(&self, url: &str, connections: u32, seconds: u32) -> Result<Sample> {
        let threads = connections.min(2);
        let text = output(
            self.repository
                .command(self.repository.which("wrk").context("wrk is not installed")?)
                .arg(format!("-t{threads}"))
                .arg(format!("-c{connections}"))
                .arg(format!("-d{seconds}s"))
                .arg("-s")
                .arg(&self.script)
                .arg(url),
        )?;
        let line = text.lines().find_map(|line| line.strip_prefix("wattle "));
        let line = line.with_context(|| format!("wrk did not say what came of {url}:\n{text}"))?;
        let value: Value = serde_json::from_str(line)?;
        let number = |name: &str| value[name].as_f64().with_context(|| format!("wrk: no {name}"));
        ensure!(number("failed")? == 0.0, "requests to {url} failed: {line}");
        let requests = number("requests")?;
        let rps = requests / (number("duration_us")? / 1e6);
        Ok(Sample { requests, rps, p50_us: number("p50_us")?, p99_us: number("p99_us")? })
    }
}
