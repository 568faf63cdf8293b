//! Commands: verified, allowed, carried out once, and answered when what they ask for is true.

mod actors;
mod calls;
mod deployments;
mod draining;
mod probes;
mod providers;
mod queries;
mod records;
mod seen;
mod unprovided;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{debug, info};
use wattle_claims::{
    Audience, Body, Draft, HostClaims, Issuer, KeyPair, RecordKey, Right, SignError, Signed,
    Timestamp, TokenError, Verified, peek_kind,
};
use wattle_core::{
    AccountKey, HostKey, LatticeName, Name,
    control::{
        Answer, CONTROL_TOKEN_LEN_MAX, Command, Failure, FailureKind, Outcome, StartActor,
        StartProvider, UserCall,
    },
    link::{ConfigValue, Settings},
};
use wattle_lattice::Lattice;

use self::seen::SeenCommands;
pub(crate) use self::{actors::drain, calls::USER_CALLS_MAX};
use crate::{
    actors::ActorRuntime, artifacts::ArtifactCache, clock::Clock, data_dir::DataDir, lanes::Lanes,
    lease::Leases, links::Links, logbook::LogBook, provider_leases::Board, providers::Want,
    registry::Registry, reports::Reports, router::Router,
};

/// A command may expire at most so far ahead: its id is remembered until then.
const EXPIRY_MAX: Duration = Duration::from_secs(15 * 60);

/// What carries out commands.
pub(crate) struct Control {
    pub(crate) key: KeyPair,
    pub(crate) host: HostKey,
    pub(crate) token: String,
    pub(crate) name: Name,
    pub(crate) lattice_name: LatticeName,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) data_dir: DataDir,
    pub(crate) log_filter: String,
    pub(crate) grace: Duration,
    pub(crate) started: std::time::Instant,
    pub(crate) clock: Arc<Clock>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) router: Arc<Router>,
    pub(crate) runtime: ActorRuntime,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) artifacts: ArtifactCache,
    pub(crate) leases: Leases,
    pub(crate) provider_leases: Board,
    pub(crate) lease_wants: mpsc::Sender<Want>,
    pub(crate) links: Links,
    pub(crate) lattice: Lattice,
    pub(crate) reports: Arc<Reports>,
    pub(crate) logbook: Arc<LogBook>,
    pub(crate) seen: parking_lot::Mutex<SeenCommands>,
    pub(crate) stop: watch::Sender<Option<Duration>>,
    pub(crate) serials: std::sync::atomic::AtomicU64,
    /// Room for calls that users make.
    pub(crate) user_calls: Semaphore,
    /// Records that the lattice's store could not be told.
    pub(crate) owed: parking_lot::Mutex<BTreeSet<RecordKey>>,
}

impl Control {
    /// Remembers commands in `path`, across restarts.
    pub(crate) fn seen_commands(
        path: PathBuf,
        now: Timestamp,
    ) -> io::Result<parking_lot::Mutex<SeenCommands>> {
        SeenCommands::open(path, now).map(parking_lot::Mutex::new)
    }

    /// Whether calls are to be answered elsewhere.
    pub(crate) fn is_leaving(&self) -> bool {
        self.router.elsewhere().is_preferred()
    }

    /// Answers one token that arrived as a command, whoever sent it.
    pub(crate) async fn handle(self: &Arc<Self>, token: String) -> Option<String> {
        let (id, outcome) = match self.authentic(&token) {
            Ok(command) => (command.id.clone(), self.obey(&command).await),
            Err(Unauthentic { id, failure }) => {
                self.reports.refused("command", &failure.message);
                (id?, Err(failure))
            }
        };
        self.answer(id, outcome)
    }

    /// The host's signed word. An answer too long to travel becomes one that says so.
    fn answer(&self, id: String, outcome: Result<Outcome, Failure>) -> Option<String> {
        let why = match self.try_sign(&id, outcome) {
            Ok(text) if text.len() <= CONTROL_TOKEN_LEN_MAX => return Some(text),
            Ok(text) => format!("the answer has {} bytes, more than may travel", text.len()),
            Err(error) => format!("the answer cannot be signed: {error}"),
        };
        match self.try_sign(&id, Err(Failure::new(FailureKind::Host, why))) {
            Ok(answer) => Some(answer),
            Err(error) => {
                // An id that is no id cannot be answered; whoever sent it waits for nothing.
                self.reports.refused("command", &error.to_string());
                None
            }
        }
    }

    fn try_sign(&self, id: &str, outcome: Result<Outcome, Failure>) -> Result<String, SignError> {
        let answer = Answer { command: id.to_owned(), outcome };
        Ok(self.sign_as_host(id.to_owned(), answer)?.text().to_owned())
    }

    /// A token of this host's, for this lattice, with its chain.
    pub(crate) fn sign_as_host<B: Body>(
        &self,
        subject: String,
        body: B,
    ) -> Result<Signed<B>, SignError> {
        let own = Signed::<HostClaims>::parse(&self.token).and_then(|token| token.peek());
        let own = own.map_err(SignError::Issuer)?;
        let audience = Audience { lattice: Some(self.lattice_name.clone()), ..own.audience };
        let draft = Draft { subject, audience, not_before: None, expires: None, body };
        let issuer = Issuer { key: &self.key, token: Some(&self.token) };
        draft.sign(issuer, self.registry.now())
    }

    fn authentic(&self, token: &str) -> Result<Verified<Command>, Unauthentic> {
        let id = command_id(token);
        let refused = |message: String| Unauthentic {
            id: id.clone(),
            failure: Failure::new(FailureKind::Refused, message),
        };
        let (trust, now) = (self.registry.trust(), self.registry.now());
        let command = Signed::<Command>::parse(token)
            .and_then(|signed| signed.verify(&trust, now))
            .map_err(|error| refused(error.to_string()))?;
        if command.subject != self.host.as_str() {
            return Err(refused(format!("the command is for host {}", command.subject)));
        }
        let Some(expires) = command.expires.filter(|expires| *expires <= now.plus(EXPIRY_MAX))
        else {
            return Err(refused(format!(
                "a command has to expire within {} minutes",
                EXPIRY_MAX.as_secs() / 60
            )));
        };
        match self.seen.lock().remember(&command.id, expires, now) {
            Ok(true) => Ok(command),
            Ok(false) => Err(refused("this command was given before".to_owned())),
            Err(error) => Err(refused(format!("the command cannot be remembered: {error}"))),
        }
    }

    /// One line per command, each in the file of its name.
    async fn obey(self: &Arc<Self>, command: &Verified<Command>) -> Result<Outcome, Failure> {
        let right = needed(&command.body)
            .map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))?;
        allowed(command, right)?;
        self.check_account(command)?;
        log(command, right);
        match &command.body {
            Command::StartActor(StartActor { values, program, .. })
            | Command::StartProvider(StartProvider { values, program, .. })
                if !values.is_empty() || program.is_some() =>
            {
                Err(undeclared())
            }
            Command::StartActor(start) if !self.is_of_hosts_account(command) => {
                self.start_actor_of(command.account(), start).await
            }
            Command::StartProvider(start) if !self.is_of_hosts_account(command) => {
                self.start_provider_of(command.account(), start).await
            }
            Command::StartActor(start) => self.start_actor(start, false).await,
            Command::StopActor { id } => self.stop_actor(id).await,
            Command::ScaleActor { id, scale } => self.scale_actor(id, *scale),
            Command::StartProvider(start) => self.start_provider(start, false).await,
            Command::StopProvider { id } => self.stop_provider(id).await,
            Command::PutRecord { token } => self.put_record(token).await,
            Command::Reconcile(asked) => self.reconcile(command, asked).await,
            Command::GetInventory => Ok(self.inventory(command.is_by_wadm())),
            Command::GetLinks => Ok(Outcome::Links(self.link_statuses())),
            Command::GetConfig { name } => self.get_config(name, command.account()),
            Command::Call(call) => self.user_call(call).await,
            Command::Why(question) => Ok(Outcome::Explanation(self.explain(question))),
            Command::GetLogs(query) => Ok(Outcome::Logs(self.logbook.page(query))),
            Command::GetTrace { trace } => Ok(Outcome::Trace(self.router.spans().of(*trace))),
            Command::DrainHost { force, undo } => self.drain_host(*force, *undo).await,
            Command::StopHost { grace_ms } => self.stop_host(*grace_ms),
        }
    }

    /// Who a host belongs to may command all that runs there; others of its operator's accounts what is their own.
    fn check_account(&self, command: &Verified<Command>) -> Result<(), Failure> {
        if command.is_by_wadm() || self.is_of_hosts_account(command) {
            return Ok(());
        }
        let denied = |text: String| Err(Failure::new(FailureKind::Denied, text));
        let account = command.account();
        let id = match &command.body {
            Command::StartActor(StartActor { id, .. })
            | Command::StartProvider(StartProvider { id, .. })
            | Command::StopActor { id }
            | Command::ScaleActor { id, .. }
            | Command::StopProvider { id }
            | Command::Call(UserCall { target: id, .. }) => id,
            Command::DrainHost { .. } | Command::StopHost { .. } => {
                let owner = self.registry.host().0;
                return denied(format!("the host is account {owner}'s, and you act for {account}"));
            }
            _ => return Ok(()),
        };
        match self.registry.owner(id).filter(|owner| owner != account) {
            None => Ok(()),
            Some(owner) => denied(format!("{id} is account {owner}'s, and you act for {account}")),
        }
    }

    fn is_of_hosts_account(&self, command: &Verified<Command>) -> bool {
        self.registry.host().0 == *command.account()
    }

    fn stop_host(&self, grace_ms: u32) -> Result<Outcome, Failure> {
        self.stop.send_replace(Some(Duration::from_millis(grace_ms.into())));
        Ok(Outcome::Done { unchanged: false, detail: Some("the host drains and ends".to_owned()) })
    }
}

/// What an account itself signs needs no right; a user needs the one for the kind of command; a host, as wadm, may see what runs, make
/// what deployments say so, and hand on records, which are worth what their own signatures are worth.
fn allowed(command: &Verified<Command>, right: Right) -> Result<(), Failure> {
    let denied = |text: String| Err(Failure::new(FailureKind::Denied, text));
    if command.is_by_wadm() {
        let may = matches!(
            command.body,
            Command::Reconcile(_) | Command::GetInventory | Command::PutRecord { .. }
        );
        let name = name_of(&command.body);
        return if may { Ok(()) } else { denied(format!("wadm may not: {name}")) };
    }
    if right == Right::Wadm {
        return denied(format!("only wadm may: {}", name_of(&command.body)));
    }
    let Some(user) = command.user() else { return Ok(()) };
    if user.rights.contains(&right) {
        return Ok(());
    }
    let text = format!("user {} ({}) lacks the right {right:?}", user.name, command.issuer);
    denied(text)
}

/// Settings in the command itself are a deployment's, whose user may grant them; a user's own are in records.
fn undeclared() -> Failure {
    let text = "only a deployment starts with settings of its own, and says which program it is";
    Failure::new(FailureKind::Denied, text).with_next("wattle config put NAME KEY=VALUE")
}

/// What changes something is told at once; what only looks would fill the log that it looks at.
fn log(command: &Verified<Command>, right: Right) {
    let (id, by, name) = (&command.id, &command.issuer, name_of(&command.body));
    if right == Right::Inspect {
        debug!(id, by, command = name, "command");
    } else {
        info!(id, by, command = name, "command");
    }
}

/// A command that nobody may have given.
struct Unauthentic {
    /// Its id, if it has one that an answer can name.
    id: Option<String>,
    failure: Failure,
}

fn command_id(token: &str) -> Option<String> {
    Signed::<Command>::parse(token).ok()?.peek().ok().map(|command| command.id)
}

fn needed(command: &Command) -> Result<Right, TokenError> {
    Ok(match command {
        Command::StartActor(_)
        | Command::StopActor { .. }
        | Command::ScaleActor { .. }
        | Command::StartProvider(_)
        | Command::StopProvider { .. }
        | Command::DrainHost { .. }
        | Command::StopHost { .. } => Right::Control,
        Command::PutRecord { token } => match peek_kind(token)? {
            wattle_claims::TokenKind::Config => Right::Config,
            wattle_claims::TokenKind::Deployment => Right::Control,
            wattle_claims::TokenKind::Rollout => Right::Wadm,
            _ => Right::Link,
        },
        Command::Reconcile(_) => Right::Wadm,
        Command::Call(_) => Right::Invoke,
        Command::GetInventory
        | Command::GetLinks
        | Command::GetConfig { .. }
        | Command::Why(_)
        | Command::GetLogs(_)
        | Command::GetTrace { .. } => Right::Inspect,
    })
}

fn name_of(command: &Command) -> &'static str {
    match command {
        Command::StartActor(_) => "start actor",
        Command::StopActor { .. } => "stop actor",
        Command::ScaleActor { .. } => "scale actor",
        Command::StartProvider(_) => "start provider",
        Command::StopProvider { .. } => "stop provider",
        Command::PutRecord { .. } => "put record",
        Command::Reconcile(_) => "reconcile",
        Command::GetInventory => "get inventory",
        Command::GetLinks => "get links",
        Command::GetConfig { .. } => "get config",
        Command::Call(_) => "call",
        Command::Why(_) => "why",
        Command::GetLogs(_) => "get logs",
        Command::GetTrace { .. } => "get trace",
        Command::DrainHost { .. } => "drain host",
        Command::StopHost { .. } => "stop host",
    }
}

impl Control {
    /// An artifact's bytes: from this host's disk, else from the lattice.
    async fn fetch(&self, digest: &wattle_core::Digest) -> Result<bytes::Bytes, Failure> {
        let fetch = || async {
            let artifacts = self.lattice.artifacts().await?;
            artifacts.get(digest).await
        };
        self.artifacts
            .get(digest, fetch)
            .await
            .map_err(|error| Failure::new(FailureKind::NotFound, error.to_string()))
    }

    fn settings(
        &self,
        named: &[Name],
        values: &BTreeMap<String, ConfigValue>,
        account: &AccountKey,
    ) -> Result<Settings, Failure> {
        let settings = self.registry.settings(named, values, account);
        settings.map_err(|error| Failure::new(FailureKind::NotFound, error.to_string()))
    }

    fn hold_artifacts(&self) {
        self.artifacts.hold(self.registry.look(crate::registry::artifacts_in_use));
    }
}

fn disk(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Host, format!("this host's disk: {error}"))
}
