//! A host's labels: what it is told, and what it knows of its machine.

use std::{collections::BTreeMap, env::consts, thread::available_parallelism};

/// `given` and the built-in labels, which cannot be given otherwise: they say what is.
pub(super) fn with_built_in(mut given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    given.insert("os".to_owned(), consts::OS.to_owned());
    given.insert("arch".to_owned(), consts::ARCH.to_owned());
    if let Ok(cores) = available_parallelism() {
        given.insert("cores".to_owned(), cores.to_string());
    }
    let memory = rustix::system::sysinfo();
    let bytes = u128::from(memory.totalram) * u128::from(memory.mem_unit);
    given.insert("memory".to_owned(), format!("{}Mi", bytes >> 20));
    given
}
