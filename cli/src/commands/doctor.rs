//! `wattle doctor`: what this machine and this project have, what they lack, and what to do about it.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command as Process, Stdio},
};

use clap::Args;
use serde::Serialize;
use wattle_core::inventory::Inventory;
use wattle_lattice::server;

use super::Context;
use crate::{
    exit::Exit,
    guest::toolchain::Toolchain,
    output::Table,
    problem::Report,
    project::{Project, keys::Role},
    signing::provider::SHIPPED,
};

/// The first nats-server that has all that Wattle uses of one.
const NATS_OLDEST: (u64, u64) = (2, 10);

/// Look at what is installed and what runs, and say what to do about what is missing
///
/// Exits with 1 if something that Wattle needs is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle doctor")]
pub(crate) struct DoctorArgs {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It is there.
    Good,
    /// It is not, and not everything needs it.
    Absent,
    /// It is not, and should be.
    Bad,
}

pub(crate) async fn run(context: &Context, _: DoctorArgs) -> anyhow::Result<Exit> {
    let mut findings = vec![nats_server(), guests()];
    findings.extend(SHIPPED.iter().map(|shipped| match shipped.binary() {
        Ok(path) => Finding::good("provider", path.display().to_string()),
        Err(error) => Finding::from_error("provider", State::Absent, &error),
    }));
    findings.extend(project(context)?);
    findings.extend(lattice(context).await);
    context.output.answer(&findings, || as_text(&findings));
    let bad = findings.iter().any(|finding| finding.state == State::Bad);
    Ok(if bad { Exit::Failed } else { Exit::Ok })
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Good, found: found.into(), next: None }
    }

    fn from_error(what: &'static str, state: State, error: &anyhow::Error) -> Self {
        let Report { message, next, .. } = Report::from(error);
        Self { what, state, found: message, next }
    }
}

fn nats_server() -> Finding {
    let Some(path) = server::find_binary() else {
        return Finding {
            what: "nats-server",
            state: State::Absent,
            found: "none on this machine: `wattle up` needs one, or --nats-url".to_owned(),
            next: Some("apt install nats-server, or set WATTLE_NATS_SERVER".to_owned()),
        };
    };
    let shown = path.display();
    let asked = Process::new(&path).arg("--version").stdin(Stdio::null()).output();
    let said = asked.as_ref().map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    let found = match &said {
        Ok(said) => match version(said) {
            Some(version) if version >= NATS_OLDEST => {
                return Finding::good("nats-server", format!("{said} ({shown})"));
            }
            Some(_) => {
                format!("{said} ({shown}) is older than {}.{}", NATS_OLDEST.0, NATS_OLDEST.1)
            }
            None => format!("{shown} is no nats-server"),
        },
        Err(error) => format!("{shown} does not run: {error}"),
    };
    Finding {
        what: "nats-server",
        state: State::Bad,
        found,
        next: Some("install 2.10 or newer, and set WATTLE_NATS_SERVER to it".to_owned()),
    }
}

/// Of `nats-server: v2.10.27` the first two numbers.
fn version(said: &str) -> Option<(u64, u64)> {
    let mut numbers = said.strip_prefix("nats-server: v")?.split('.');
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

fn guests() -> Finding {
    match Toolchain::find(Path::new(".")) {
        Ok(Some(toolchain)) => Finding::good("guests", toolchain.to_string()),
        Ok(None) => Finding {
            what: "guests",
            state: State::Absent,
            found: "no toolchain that compiles actors yet".to_owned(),
            next: Some("wattle build fetches or builds one when it is needed".to_owned()),
        },
        Err(error) => Finding::from_error("guests", State::Absent, &error),
    }
}

fn project(context: &Context) -> anyhow::Result<Vec<Finding>> {
    let Some(project) = Project::find(&context.global)? else {
        return Ok(vec![Finding {
            what: "project",
            state: State::Absent,
            found: "no .wattle folder here or above".to_owned(),
            next: Some("wattle up -d".to_owned()),
        }]);
    };
    let mut findings = vec![Finding::good("project", project.dir().display().to_string())];
    findings.push(match project.keys().signer(Role::User) {
        Ok(user) => Finding::good("user", user.key.public()),
        Err(error) => Finding::from_error("user", State::Bad, &error),
    });
    for key in project.keys().list()? {
        let mode = std::fs::metadata(&key.file).map_or(0, |file| file.permissions().mode() & 0o077);
        if mode != 0 {
            let path = key.file.display();
            findings.push(Finding {
                what: "seed",
                state: State::Bad,
                found: format!("others on this machine may read {path}"),
                next: Some(format!("chmod 600 {path}")),
            });
        }
    }
    Ok(findings)
}

async fn lattice(context: &Context) -> Vec<Finding> {
    let asked = async { context.session().await?.inventories().await };
    match asked.await {
        Ok(inventories) => inventories.iter().map(answers).collect(),
        Err(error) => vec![Finding::from_error("lattice", State::Absent, &error)],
    }
}

fn answers(inventory: &Inventory) -> Finding {
    let found = format!(
        "{}: host {} answers ({} actors, {} providers)",
        inventory.lattice,
        inventory.name,
        inventory.actors.len(),
        inventory.providers.len()
    );
    Finding::good("lattice", found)
}

fn as_text(findings: &[Finding]) -> String {
    let mut table = Table::new(&["", "WHAT", "FOUND"]);
    for finding in findings {
        let mark = match finding.state {
            State::Good => "+",
            State::Absent => "-",
            State::Bad => "x",
        };
        let next = finding.next.as_ref().map(|next| format!("\nnext: {next}")).unwrap_or_default();
        table.row([mark.to_owned(), finding.what.to_owned(), format!("{}{next}", finding.found)]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_says_which_version_it_is() {
        assert_eq!(version("nats-server: v2.10.27"), Some((2, 10)));
        assert_eq!(version("nats-server: v3.0.0-beta"), Some((3, 0)));
        assert!(version("nats-server: v2.9.10").is_some_and(|it| it < NATS_OLDEST));
        assert_eq!(version("nats-server: vNext"), None);
        assert_eq!(version("bash 5.2"), None);
    }
}
