//! Which provider keeps which contract, read from the tests that ran, and written into `docs/capabilities.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result};

use crate::repository::{Repository, step};

const PAGE: &str = "docs/capabilities.md";
const BEGIN: &str = "<!-- conformance: written by cargo xtask test -->\n";
const END: &str = "<!-- end -->";

/// A provider that has passed a contract's suite. Its test says so by its name: `keyvalue_redis_keeps_wasi_keyvalue`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kept {
    contract: String,
    provider: String,
}

impl Kept {
    /// From a line such as `test conformance::keyvalue_redis_keeps_wasi_keyvalue ... ok`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let path = line.strip_prefix("test ")?.strip_suffix(" ... ok")?;
        let (provider, contract) = path.rsplit("::").next()?.split_once("_keeps_")?;
        let (namespace, package) = contract.split_once('_')?;
        if !matches!(namespace, "wasi" | "wasmcloud" | "wattle") {
            return None;
        }
        Some(Self {
            contract: format!("{namespace}:{}", package.replace('_', "-")),
            provider: provider.replace('_', "-"),
        })
    }
}

/// Brings the page's table up to date.
pub(crate) fn write(repository: &Repository, kept: &BTreeSet<Kept>) -> Result<()> {
    let path = repository.file(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
    let written = with_table(&page, kept).with_context(|| format!("{PAGE} has no place for it"))?;
    if written != page {
        fs::write(&path, written).with_context(|| format!("writing {PAGE}"))?;
        step(format_args!("{PAGE} was not what ran: it is now, commit it"));
    }
    Ok(())
}

fn with_table(page: &str, kept: &BTreeSet<Kept>) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut providers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Kept { contract, provider } in kept {
        providers.entry(contract).or_default().push(provider);
    }
    let mut table = "| contract | providers that passed its suite |\n| --- | --- |\n".to_owned();
    for (contract, providers) in providers {
        table.push_str(&format!("| `{contract}` | {} |\n", providers.join(", ")));
    }
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_from_the_name_of_its_test_and_nothing_else_is() {
        let read = |line| Kept::read(line).map(|kept| (kept.provider, kept.contract));
        let kept = read("test suite::keyvalue_redis_keeps_wasi_keyvalue ... ok");
        assert_eq!(kept, Some(("keyvalue-redis".to_owned(), "wasi:keyvalue".to_owned())));
        for other in [
            "test keyvalue_redis_keeps_wasi_keyvalue ... FAILED",
            "test keyvalue_redis_keeps_wasi_keyvalue ... ignored",
            "test a_host_keeps_its_name ... ok",
            "running 3 tests",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn the_table_is_all_that_changes() {
        let kept = |provider: &str| Kept {
            contract: "wasi:keyvalue".to_owned(),
            provider: provider.to_owned(),
        };
        let page = format!("a\n{BEGIN}old\n{END}\nb\n");
        let written = with_table(&page, &[kept("x"), kept("y")].into()).expect("it has its place");
        assert!(written.starts_with("a\n") && written.ends_with("-->\nb\n"), "{written}");
        assert!(written.contains("| `wasi:keyvalue` | x, y |\n") && !written.contains("old"));
        assert_eq!(with_table("nothing", &BTreeSet::new()), None);
    }
}
