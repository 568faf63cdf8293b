//! What a process used, from `/proc`.

use std::fs;

use anyhow::{Context as _, Result};

/// Linux counts process time in hundredths of a second on every architecture that we run on (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

const KIB_PER_MB: f64 = 1_000_000.0 / 1_024.0;

/// Seconds of processor time that these processes used since they started.
pub(crate) fn cpu_seconds(pids: &[(String, u32)]) -> Result<f64> {
    pids.iter().map(|(name, pid)| one(*pid).with_context(|| format!("cpu time of {name}"))).sum()
}

fn one(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).context("unexpected /proc/PID/stat")?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Fields 14 and 15, user and system time. The second field is the program's name in parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process in MB.
pub(crate) fn rss_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .context("no VmRSS in /proc/PID/status")?;
    Ok(kib / KIB_PER_MB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_move_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
    }
}
