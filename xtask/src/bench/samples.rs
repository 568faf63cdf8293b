//! Many measurements become one row.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::wrk::Sample;

/// Everything that was measured of one contestant with so many connections.
#[derive(Default)]
pub(crate) struct Samples {
    rps: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    cpu_s_per_10k: Vec<f64>,
    rss_mb: BTreeMap<String, Vec<f64>>,
}

/// The medians.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) variant: &'static str,
    pub(crate) connections: u32,
    pub(crate) rps: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cpu_s_per_10k: f64,
    pub(crate) rss_mb: BTreeMap<String, f64>,
    /// The lowest and the highest of the rounds' requests per second.
    pub(crate) spread: (f64, f64),
}

impl Samples {
    pub(crate) fn add(&mut self, sample: &Sample, cpu_seconds: f64, rss_mb: Vec<(String, f64)>) {
        self.rps.push(sample.rps);
        self.p50_us.push(sample.p50_us);
        self.p99_us.push(sample.p99_us);
        self.cpu_s_per_10k.push(cpu_seconds / sample.requests * 10_000.0);
        for (process, mb) in rss_mb {
            self.rss_mb.entry(process).or_default().push(mb);
        }
    }

    pub(crate) fn row(&self, id: &'static str, variant: &'static str, connections: u32) -> Row {
        let lowest = self.rps.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.rps.iter().copied().fold(0.0, f64::max);
        Row {
            id,
            variant,
            connections,
            rps: median(&self.rps),
            p50_us: median(&self.p50_us),
            p99_us: median(&self.p99_us),
            cpu_s_per_10k: median(&self.cpu_s_per_10k),
            rss_mb: self.rss_mb.iter().map(|(name, mb)| (name.clone(), median(mb))).collect(),
            spread: (lowest, highest),
        }
    }
}

/// Of each letter and number of connections the faster variant: a twin is as fast as one process can be.
pub(crate) fn best(rows: Vec<Row>) -> Vec<Row> {
    let mut best: Vec<Row> = Vec::new();
    for row in rows {
        let same = |other: &&mut Row| (other.id, other.connections) == (row.id, row.connections);
        match best.iter_mut().find(same) {
            Some(other) if other.rps < row.rps => *other = row,
            Some(_) => {}
            None => best.push(row),
        }
    }
    best.sort_by_key(|row| (row.id, row.connections));
    best
}

impl Row {
    pub(crate) fn to_json(&self) -> Value {
        let rss: BTreeMap<&String, f64> =
            self.rss_mb.iter().map(|(name, mb)| (name, rounded(*mb, 1))).collect();
        let mut row = json!({
            "id": self.id,
            "connections": self.connections,
            "rps": self.rps.round(),
            "p50_us": self.p50_us.round(),
            "p99_us": self.p99_us.round(),
            "cpu_s_per_10k": rounded(self.cpu_s_per_10k, 4),
            "rss_mb": rss,
        });
        if !self.variant.is_empty() {
            row["variant"] = json!(self.variant);
        }
        row
    }
}

pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_faster_variant_of_a_twin_is_the_one_that_counts() {
        let row = |variant, rps| {
            let mut samples = Samples::default();
            let sample = Sample { requests: 10.0, rps, p50_us: 1.0, p99_us: 1.0 };
            samples.add(&sample, 1.0, Vec::new());
            samples.row("b", variant, 64)
        };
        let best = best(vec![row("lanes", 1.0), row("multi", 2.0)]);
        assert_eq!(best, [row("multi", 2.0)]);
    }
}
