//! Where the hosts of a project live: the first one in `host/`, each further one in `hosts/NAME/`, a wadm alone in `wadm/`.

use std::path::PathBuf;

use anyhow::Context;
use wattle_claims::{HostClaims, Signed};
use wattle_core::{Name, name::NAME_LEN_MAX};

use super::{Project, file};
use crate::signing::name_like;

/// The file in a host's home that [`wattle_host::DataDir`] locks.
const DATA_LOCK: &str = "lock";

/// One of the places for a host. What a host is told and what it runs stays with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// The first host's, whatever its name.
    First,
    /// A further host's, which is called like it.
    Further(Name),
    /// A wadm's that runs alone: by its claims it is a host, and it runs nothing.
    Wadm,
}

impl Home {
    /// Where the host keeps what it has.
    pub(crate) fn data(&self, project: &Project) -> PathBuf {
        match self {
            Self::First => project.dir().join("host"),
            Self::Further(name) => project.dir().join("hosts").join(name.as_str()),
            Self::Wadm => project.dir().join("wadm"),
        }
    }

    /// What the host has locked for as long as it runs.
    pub(crate) fn lock(&self, project: &Project) -> PathBuf {
        self.data(project).join(DATA_LOCK)
    }

    /// What the host writes when it is detached.
    pub(crate) fn log(&self, project: &Project) -> PathBuf {
        let name = match self {
            Self::First => "host",
            Self::Further(name) => name.as_str(),
            Self::Wadm => "wadm",
        };
        project.dir().join("logs").join(format!("{name}.log"))
    }
}

/// Which hosts a project has, running or not.
#[derive(Clone, Debug)]
pub(crate) struct Homes {
    /// What the first one was called last; none before it was ever admitted.
    first: Option<Name>,
    /// The further ones, in the order in which they start.
    further: Vec<Name>,
    /// Those that run now.
    running: Vec<Name>,
}

impl Homes {
    pub(crate) fn of(project: &Project) -> anyhow::Result<Self> {
        let token = file::read_small(&Home::First.data(project).join("host.jwt"))?;
        let file = project.lattice()?;
        let running = file.live_hosts(project).map(|host| host.name.clone()).collect();
        Ok(Self { first: token.as_deref().and_then(admitted), further: further(project)?, running })
    }

    /// Whether one of them is called so.
    pub(crate) fn has(&self, name: &Name) -> bool {
        self.first.as_ref() == Some(name) || self.further.contains(name)
    }

    /// The home of the host that is wanted, and its name. A name means the host of that name, also where it is new. Without one
    /// it is the first host that does not run, or, where all run, a new one, called after the machine.
    pub(crate) fn choose(&self, wanted: Option<&Name>, machine: &Name) -> (Home, Name) {
        if let Some(name) = wanted {
            let is_first = self.first.as_ref().is_none_or(|first| first == name);
            let first = is_first && !self.further.contains(name);
            let home = if first { Home::First } else { Home::Further(name.clone()) };
            return (home, name.clone());
        }
        let first = self.first.as_ref().unwrap_or(machine);
        if !self.running.contains(first) {
            return (Home::First, first.clone());
        }
        let idle = self.further.iter().find(|name| !self.running.contains(name));
        let name = idle.cloned().unwrap_or_else(|| self.another(machine));
        (Home::Further(name.clone()), name)
    }

    /// A name that no host here has: `MACHINE-2`, `MACHINE-3` …
    fn another(&self, machine: &Name) -> Name {
        let taken = |name: &Name| self.has(name) || self.running.contains(name);
        let numbered = |number: u64| {
            let number = format!("-{number}");
            let room = machine.as_str().len().min(NAME_LEN_MAX - number.len());
            let name = name_like(&format!("{}{number}", &machine.as_str()[..room]));
            name.expect("a name with a number behind it is a name")
        };
        (2..).map(numbered).find(|name| !taken(name)).expect("numbers do not run out")
    }
}

/// The name that a host's token gives it; whether the token holds is for later.
pub(crate) fn admitted(token: &str) -> Option<Name> {
    let claims = Signed::<HostClaims>::parse(token).and_then(|token| token.peek()).ok()?;
    Some(claims.body.name)
}

fn further(project: &Project) -> anyhow::Result<Vec<Name>> {
    let folder = project.dir().join("hosts");
    let what = || folder.display().to_string();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names: Vec<Name> = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(what)? {
        let name = entry.with_context(what)?.file_name();
        names.extend(name.to_str().and_then(|name| name.parse::<Name>().ok()));
    }
    // As they were made: `pi-10` comes behind `pi-9`.
    names.sort_by_key(|name| (name.as_str().len(), name.clone()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    fn homes(first: Option<&str>, further: &[&str], running: &[&str]) -> Homes {
        let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect();
        Homes { first: first.map(name), further: names(further), running: names(running) }
    }

    fn chosen(homes: &Homes, wanted: Option<&str>) -> (Home, String) {
        let (home, name) = homes.choose(wanted.map(name).as_ref(), &name("pi"));
        (home, name.to_string())
    }

    #[test]
    fn who_is_up_next_is_the_first_host_then_those_that_were_and_then_a_new_one() {
        for (known, expected) in [
            (homes(None, &[], &[]), (Home::First, "pi")),
            (homes(Some("a"), &["b"], &["b"]), (Home::First, "a")),
            (homes(Some("pi"), &[], &["pi"]), (Home::Further(name("pi-2")), "pi-2")),
            (homes(Some("pi"), &["b", "pi-2"], &["b", "pi"]), {
                (Home::Further(name("pi-2")), "pi-2")
            }),
            (homes(Some("a"), &["pi-2"], &["a", "pi-2"]), (Home::Further(name("pi-3")), "pi-3")),
        ] {
            let (home, called) = expected;
            assert_eq!(chosen(&known, None), (home, called.to_owned()), "{known:?}");
        }
    }

    #[test]
    fn a_name_means_the_host_of_that_name() {
        for (known, wanted, expected) in [
            (homes(None, &[], &[]), "a", Home::First),
            (homes(Some("a"), &[], &[]), "a", Home::First),
            (homes(Some("a"), &[], &[]), "b", Home::Further(name("b"))),
            (homes(Some("a"), &["b"], &["a", "b"]), "b", Home::Further(name("b"))),
        ] {
            assert_eq!(chosen(&known, Some(wanted)), (expected, wanted.to_owned()), "{known:?}");
        }
    }

    #[test]
    fn a_long_name_still_gets_a_number() {
        let long = "x".repeat(NAME_LEN_MAX);
        let known = homes(Some(&long), &[], &[&long]);
        let (_, called) = known.choose(None, &name(&long));
        assert_eq!(called.as_str().len(), NAME_LEN_MAX);
        assert!(called.as_str().ends_with("x-2"));
    }
}
