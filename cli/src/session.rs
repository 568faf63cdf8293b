//! A command's connection to its lattice: commands go out signed by the user, and only answers that the asked host signed count.

pub(crate) mod entities;
pub(crate) mod hosts;
pub(crate) mod records;
pub(crate) mod wadm;

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use wattle_claims::{Audience, Draft, RevokedSet, Signed, Timestamp, Trust, UserClaims};
use wattle_core::{
    AccountKey, HostKey, LatticeName,
    control::{Answer, Command, Outcome},
};
use wattle_lattice::{CommandError, Lattice};

use crate::{
    args::Global,
    exit::Exit,
    output::Output,
    problem::Problem,
    project::{
        Project,
        keys::{Role, Signer},
        lattice_file::{LatticeFile, Nats, RunningHost},
    },
};

/// What NATS' operator sees our connections called.
const CLIENT_NAME: &str = "wattle-cli";

/// Added to the wait when a command's expiry is set: the answer may be late, the command must not be refused for that.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5);

/// An open connection, and who we are on it.
pub(crate) struct Session {
    pub(crate) lattice: Lattice,
    pub(crate) project: Project,
    pub(crate) user: Signer,
    /// The account that the user belongs to, under which its records are kept.
    pub(crate) account: AccountKey,
    pub(crate) audience: Audience,
    pub(crate) trust: Trust,
    pub(crate) output: Output,
    /// The longest a command may take.
    pub(crate) timeout: Duration,
    /// What `--host` said.
    wanted: Option<String>,
    /// The project's hosts that are ready, the first one first.
    own: Vec<RunningHost>,
}

impl Session {
    /// Connects to the lattice that the flags, the environment or the project name.
    pub(crate) async fn open(global: &Global, output: Output) -> anyhow::Result<Self> {
        let project = Project::require(global)?;
        let file = project.lattice()?;
        let user = project.keys().signer(Role::User)?;
        let nats = nats(global, &file, &project)?;
        let name = global.lattice.clone().unwrap_or_else(|| file.name());
        let Standing { account, audience, trust } = Standing::of(&user.token, &name)?;
        let lattice =
            Lattice::connect(name, &nats.options(CLIENT_NAME)?).await.map_err(|error| {
                Problem::new(Exit::Unreachable, error.to_string()).next(start_again(global))
            })?;
        // A project's hosts are meant only where the project's NATS is, and when they answer.
        let own_nats = global.nats_url.is_none();
        let own = file.live_hosts(&project).filter(|host| own_nats && !host.starting);
        let own = own.cloned().collect();
        let (timeout, wanted) = (global.timeout, global.host.clone());
        Ok(Self { lattice, project, user, account, audience, trust, output, timeout, wanted, own })
    }

    /// Sends a command to a host and waits until it is true, or for the reason why it is not.
    pub(crate) async fn ask(&self, host: &HostKey, command: Command) -> anyhow::Result<Outcome> {
        let outcome = self.ask_if_there(host, command).await?;
        let nobody = CommandError::NoHost(host.clone());
        outcome.ok_or_else(|| unanswered(&nobody, self.timeout).into())
    }

    /// The same; none where no host of this key is on the lattice.
    pub(crate) async fn ask_if_there(
        &self,
        host: &HostKey,
        command: Command,
    ) -> anyhow::Result<Option<Outcome>> {
        let now = Timestamp::now();
        let draft = Draft {
            subject: host.to_string(),
            audience: self.audience.clone(),
            not_before: None,
            expires: Some(now.plus(self.timeout + EXPIRY_MARGIN)),
            body: command,
        };
        let signed = draft.sign(self.user.issuer(), now).context("sign the command")?;
        let id = signed.peek().context("the command")?.id;
        match self.lattice.command(host, signed.text(), self.timeout).await {
            Ok(answer) => self.read_answer(host, &id, &answer).map(Some),
            Err(CommandError::NoHost(_)) => Ok(None),
            Err(error) => Err(unanswered(&error, self.timeout).into()),
        }
    }

    /// The outcome in an answer's token, if this host gave it to this command.
    fn read_answer(&self, host: &HostKey, id: &str, token: &str) -> anyhow::Result<Outcome> {
        let refused = |why: String| {
            Problem::new(
                Exit::Denied,
                format!("host {host} answered with a token that does not hold: {why}"),
            )
        };
        let answer = Signed::<Answer>::parse(token)
            .and_then(|signed| signed.verify(&self.trust, Timestamp::now()))
            .map_err(|error| refused(error.to_string()))?;
        if answer.issuer != host.as_str() {
            return Err(refused(format!("{} signed it", answer.issuer)).into());
        }
        if answer.body.command != id {
            return Err(refused("it answers another command".to_owned()).into());
        }
        Ok(answer.body.outcome.clone()?)
    }
}

/// Where a user stands in a lattice, as their own token says.
pub(crate) struct Standing {
    pub(crate) account: AccountKey,
    /// For whom what they sign is meant.
    pub(crate) audience: Audience,
    /// Whose signatures they take.
    pub(crate) trust: Trust,
}

impl Standing {
    pub(crate) fn of(user_token: &str, lattice: &LatticeName) -> anyhow::Result<Self> {
        let claims = Signed::<UserClaims>::parse(user_token)
            .and_then(|signed| signed.peek())
            .context("the user's token")?;
        let account = claims.issuer.parse().context("the user's account")?;
        let operator = claims.audience.operator;
        let trust = Trust {
            operators: BTreeSet::from([operator.clone()]),
            accounts: BTreeSet::new(),
            lattice: lattice.clone(),
            revocations: RevokedSet::default(),
        };
        Ok(Self { account, audience: Audience { operator, lattice: Some(lattice.clone()) }, trust })
    }
}

/// Where NATS is: flags and environment first, then the project.
pub(crate) fn nats(global: &Global, file: &LatticeFile, project: &Project) -> anyhow::Result<Nats> {
    Nats::meant(global, file.nats.clone())?.ok_or_else(|| {
        let what = format!("no lattice was started in {}", project.dir().display());
        Problem::new(Exit::Unreachable, what).next("wattle up -d").into()
    })
}

fn start_again(global: &Global) -> &'static str {
    if global.nats_url.is_some() { "check --nats-url and --creds" } else { "wattle up -d" }
}

fn unanswered(error: &CommandError, timeout: Duration) -> Problem {
    let exit = match error {
        CommandError::TooLarge { .. }
        | CommandError::Malformed(_)
        | CommandError::Refused { .. } => Exit::Failed,
        CommandError::NoHost(_) | CommandError::TimedOut { .. } | CommandError::Disconnected => {
            Exit::Unreachable
        }
    };
    let problem = Problem::new(exit, error.to_string());
    match error {
        CommandError::NoHost(_) => problem.next("wattle get hosts"),
        CommandError::TimedOut { .. } => problem.next(format!(
            "it may still come true: see wattle logs, or wait longer with --timeout {}s",
            timeout.as_secs().saturating_mul(4).max(1)
        )),
        CommandError::Disconnected => problem.next("wattle up -d"),
        CommandError::TooLarge { .. }
        | CommandError::Malformed(_)
        | CommandError::Refused { .. } => problem,
    }
}
