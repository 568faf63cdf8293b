//! A host's labels: what it is told, and what it knows of its machine.

use std::{collections::BTreeMap, env::consts, thread::available_parallelism};

/// `given` and the built-in labels, which cannot be given otherwise: they say what is.
pub(super) fn with_built_in(mut given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    given.insert("os".to_owned(), consts::OS.to_owned());
    given.insert("arch".to_owned(), consts::ARCH.to_owned());
    if let Ok(cores) = available_parallelism() {
        given.insert("cores".to_owned(), cores.to_string());
    }
    if let Some(mebibytes) = memory_mebibytes() {
        given.insert("memory".to_owned(), format!("{mebibytes}Mi"));
    }
    given
}

/// The machine's memory, where the kernel says it as Linux does.
fn memory_mebibytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024)
}
