//! A host in the background: a `wattle host` of its own, waited for until it answers.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use wattle_core::{HostKey, control::Command as HostCommand};

use crate::{
    commands::Context,
    exit::Exit,
    hosting::{HostOptions, Identity},
    problem::{Problem, Report},
    project::{Project, file},
};

/// How often a host that is starting is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long one such question may take: a host that is there answers at once.
const ASK_WAIT: Duration = Duration::from_secs(2);
/// What is shown of the log of a host that did not start.
const LOG_SHOWN_MAX: u64 = 4_096; // bytes

/// How starting went.
pub(super) enum Started {
    /// It answers.
    Answers(HostKey),
    /// It runs, and whether it serves cannot be asked: there is no NATS, say. It is left running: it serves what it last ran.
    Silent(anyhow::Error),
}

pub(super) async fn start(
    context: &Context,
    project: &Project,
    identity: &Identity,
    options: &HostOptions,
) -> anyhow::Result<Started> {
    let step = context.output.step(&format!("starting host {}", identity.name));
    let mut child = spawn(project, identity, options)?;
    let key = identity.key.public_key::<HostKey>().context("the host's key")?;
    match wait_until_it_answers(context, &key, Some((&mut child, project))).await {
        Ok(()) => {
            step.done(&format!("it answers (pid {})", child.id()));
            Ok(Started::Answers(key))
        }
        Err(error) if child.try_wait().context("the host's process")?.is_none() => {
            step.done(&format!("it runs (pid {}), and does not answer", child.id()));
            Ok(Started::Silent(error))
        }
        Err(error) => Err(error),
    }
}

fn spawn(project: &Project, identity: &Identity, options: &HostOptions) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("where is this command?")?;
    let log = log(&project.host_log())?;
    let mut host = Command::new(own);
    host.arg("host").arg("--dir").arg(project.dir());
    host.arg(format!("--lattice={}", identity.lattice)).arg("--detached");
    host.args(options.as_arguments()).arg(format!("--name={}", identity.name));
    // lattice.json says where NATS is; credentials on a command line could be read by everyone on the machine.
    host.env_remove("WATTLE_NATS_URL").env_remove("WATTLE_CREDS");
    host.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    host.spawn().context("start the host")
}

fn log(path: &Path) -> anyhow::Result<File> {
    if let Some(folder) = path.parent() {
        file::create_folder(folder)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| path.display().to_string())
}

/// Asks until the host answers, or `--timeout` is over, or its process (if it is our child) ended.
pub(super) async fn wait_until_it_answers(
    context: &Context,
    key: &HostKey,
    mut child: Option<(&mut Child, &Project)>,
) -> anyhow::Result<()> {
    let until = Instant::now() + context.global.timeout;
    let mut patient = context.clone();
    patient.global.timeout = ASK_WAIT;
    patient.global.nats_url = None; // lattice.json has it by now, credentials included
    let mut session = None;
    loop {
        if let Some((child, project)) = &mut child
            && let Some(status) = child.try_wait().context("the host's process")?
        {
            let what = format!("the host ended at once ({status})\n{}", tail(&project.host_log()));
            return Err(Problem::new(Exit::Failed, what.trim_end()).into());
        }
        let asked = async {
            if session.is_none() {
                session = Some(patient.session().await?);
            }
            let opened = session.as_ref().expect("it was opened just now");
            opened.ask(key, HostCommand::GetInventory).await
        };
        let Err(error) = asked.await else { return Ok(()) };
        if Report::from(&error).exit != Exit::Unreachable {
            return Err(error);
        }
        if Instant::now() >= until {
            let what = format!("host {key} runs but does not answer: {error:#}");
            return Err(Problem::new(Exit::Unreachable, what)
                .next("see .wattle/logs/host.log, then wattle down")
                .into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The end of a log, for an error.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_SHOWN_MAX)))?;
        let mut bytes = Vec::new();
        file.take(LOG_SHOWN_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
