//! A host in the background: a `wattle host` of its own, waited for until it answers.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use wattle_core::{HostKey, Name, control::Command as HostCommand};
use wattle_host::DataDir;

use super::Next;
use crate::{
    commands::{Context, down},
    exit::Exit,
    hosting::{Given, Identity, Signals, too_early},
    problem::{Problem, Report},
    project::{Project, file, home::Home, process::Process},
};

/// How often a host that is starting is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long a new process may take until it stands in `lattice.json`, which is the first that it does.
const LISTED_WAIT: Duration = Duration::from_secs(30);
/// How long one such question may take at most: a host that is there answers at once.
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

/// Starts it. After an error nothing of it runs; a signal that comes first is one.
pub(super) async fn start(
    next: &Next<'_>,
    name: &Name,
    data_dir: DataDir,
    signals: &mut Signals,
) -> anyhow::Result<Started> {
    let Next { context, project, home, options } = next;
    let identity = identity(next, name, &data_dir)?;
    drop(data_dir); // the process that is to run in it takes it anew
    let step = context.output.step(&format!("starting host {name}"));
    let mut child = spawn(next, &identity)?;
    let key = identity.key.public_key::<HostKey>().context("the host's key")?;
    let log = home.log(project);
    let answers = async {
        wait_until_it_is_listed(project, &key, &mut child).await?;
        wait_until_it_answers(context, &key, Some((&mut child, &log))).await
    };
    let waited = tokio::select! {
        answers = answers => Ok(answers),
        signal = signals.next() => Err(signal),
    };
    match waited {
        Ok(Ok(())) => {
            step.done(&format!("it answers (pid {})", child.id()));
            Ok(Started::Answers(key))
        }
        Ok(Err(error)) if child.try_wait().context("the host's process")?.is_none() => {
            step.done(&format!("it runs (pid {}), and does not answer", child.id()));
            Ok(Started::Silent(error))
        }
        Ok(Err(error)) => Err(error),
        Err(signal) => {
            drop(step);
            let process = Process::with_pid(child.id());
            process.terminate();
            down::wait_for(name, &process, options.grace, context.output).await?;
            Err(too_early(signal).into())
        }
    }
}

/// Who it will be: made here, where what is wrong can be said.
fn identity(next: &Next<'_>, name: &Name, data_dir: &DataDir) -> anyhow::Result<Identity> {
    let given = Given { name: Some(name), ..Given::default() };
    let lattice = next.project.lattice()?.name();
    Identity::establish(next.project, (&next.home, data_dir), lattice, given, next.context.output)
}

fn spawn(next: &Next<'_>, identity: &Identity) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("where is this command?")?;
    let log = log(&next.home.log(next.project))?;
    let mut host = Command::new(own);
    host.arg("host").arg("--dir").arg(next.project.dir());
    host.arg(format!("--lattice={}", identity.lattice)).arg("--detached");
    host.args(next.options.as_arguments()).arg(format!("--name={}", identity.name));
    if next.home != Home::First {
        host.arg("--further");
    }
    // lattice.json says where NATS is; credentials on a command line could be read by everyone on the machine.
    for said in ["NATS_URL", "CREDS", "NKEY", "TLS_CA", "JS_DOMAIN"] {
        host.env_remove(format!("WATTLE_{said}"));
    }
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

/// Until a host stands in `lattice.json` only we know of it: however little patience there is, we do not go away before, nor let go of
/// the project's lock. One that ended does not stand there either.
async fn wait_until_it_is_listed(
    project: &Project,
    key: &HostKey,
    child: &mut Child,
) -> anyhow::Result<()> {
    let until = Instant::now() + LISTED_WAIT;
    let is_listed = |pid| {
        let file = project.lattice()?;
        anyhow::Ok(file.hosts.iter().any(|host| host.key == *key && host.process.pid == pid))
    };
    while !is_listed(child.id())? && child.try_wait().context("the host's process")?.is_none() {
        if Instant::now() >= until {
            child.kill().and_then(|()| child.wait()).context("the host's process")?;
            let what = format!("host {key} did not begin within {} s", LISTED_WAIT.as_secs());
            return Err(Problem::new(Exit::Failed, what).next("see .wattle/logs").into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// Asks until the host answers, or `--timeout` is over, or its process (if it is our child, with its log) ended.
pub(super) async fn wait_until_it_answers(
    context: &Context,
    key: &HostKey,
    mut child: Option<(&mut Child, &Path)>,
) -> anyhow::Result<()> {
    let until = Instant::now() + context.global.timeout;
    let mut patient = context.clone();
    patient.global.timeout = ASK_WAIT.min(context.global.timeout);
    patient.global.nats_url = None; // lattice.json has it by now, credentials and all
    let mut session = None;
    loop {
        if let Some((child, log)) = &mut child
            && let Some(status) = child.try_wait().context("the host's process")?
        {
            let what = format!("the host ended at once ({status})\n{}", tail(log));
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
                .next("see .wattle/logs, then wattle down")
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
