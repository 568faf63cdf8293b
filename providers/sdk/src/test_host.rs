//! A host for the tests of one provider: it starts the provider's binary as a real host does, and the test is all that the host
//! knows. It puts links, calls the provider over them, and plays the actors that the provider calls.
//!
//! ```no_run
//! use wattle_sdk::test_host::{Call, Launch, Settings, TestHost, actor};
//! use wattle_sdk::{Operation, Reply};
//!
//! # const BINARY: &str = "";
//! # async fn test() {
//! // In the test of a provider: env!("CARGO_BIN_EXE_the-name-of-its-binary")
//! let host = TestHost::start(Launch::new(BINARY).set("url", "redis://127.0.0.1")).await;
//!
//! // An actor that calls the provider.
//! let link = host.link_to_provider(&["acme:clock/clock"], [].into(), [].into()).await.expect("it holds");
//! let now = Operation { interface: "acme:clock/clock", function: "now" };
//! let answer = link.call(now, vec![0x90]).await.expect("it answers");
//!
//! // An actor that the provider calls.
//! let sleeper = actor(|call| async move { Ok(Reply::new(call.params)) });
//! let settings = Settings::from([("every".into(), "1s".into())]);
//! let number = host.link_to_actor(&["acme:clock/alarm"], settings, sleeper).await.expect("it holds");
//!
//! host.delete(number).await;
//! host.drain().await;
//! # }
//! ```
//!
//! Where something does not go as a host may rely on, a function of this module panics: the test has failed.

mod door;
mod leases;
mod link;
mod process;

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
pub use wattle_core::{
    Constraints,
    call::Call,
    link::Settings,
    provider::{ToHost, ToProvider},
};
use wattle_core::{codec, provider::Start};
pub use wattle_wire::Connection;

use self::{door::Member, process::Process};
pub use self::{
    door::{Actor, actor},
    leases::Leases,
    link::{Link, grant},
};
use crate::{LinkDetail, LinkGrant, Side};

/// How long a provider may take for what its host waits for, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a provider may do about a drain, in milliseconds.
const GRACE_MS: u32 = 30_000;

/// The setting that names the folder which a host keeps for a provider.
const DATA_DIR: &str = "data-dir";

/// How a provider is started.
#[derive(Clone, Debug)]
pub struct Launch {
    binary: PathBuf,
    config: Settings,
    id: String,
    lanes: usize,
    log: String,
    leases: Leases,
}

impl Launch {
    /// With this binary, no settings, two lanes (so that calls come on threads that no link was put on), and a log of warnings.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        Self {
            binary: binary.as_ref().to_owned(),
            config: Settings::new(),
            id: "provider".to_owned(),
            lanes: 2,
            log: "warn".to_owned(),
            leases: Leases::default(),
        }
    }

    /// A setting of the provider's own.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.config.insert(name.to_owned(), value.into());
        self
    }

    /// The id that it runs under, instead of `provider`.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// The folder that it calls its own. It outlives the host; without this, there is one that goes with the host.
    #[must_use]
    pub fn data_dir(self, dir: &Path) -> Self {
        self.set(DATA_DIR, dir.to_str().expect("a folder's name is text"))
    }

    /// Threads with a socket each; at least one.
    #[must_use]
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// The filter of its log, as `tracing` has it: `debug`, or `info,redis=trace`.
    #[must_use]
    pub fn log(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.log);
        self
    }

    /// Makes it one of several hosts of a lattice, of which one at a time holds a lease. Without this it gets all that it wants.
    #[must_use]
    pub fn leases(mut self, leases: &Leases) -> Self {
        self.leases = leases.clone();
        self
    }
}

/// A provider's process with the test as its host. It dies with this.
#[derive(Debug)]
pub struct TestHost {
    lanes: Arc<[Connection]>,
    said: Mutex<mpsc::Receiver<ToHost>>,
    actors: Arc<door::Actors>,
    member: Arc<Member>,
    links: AtomicU32,
    process: Process,
    start: Start,
    /// Its own folder, where the test has given it none.
    _dir: Option<TempDir>,
}

impl TestHost {
    /// Starts the provider and waits until it is ready.
    pub async fn start(launch: Launch) -> Self {
        Self::try_start(launch).await.expect("the provider starts")
    }

    /// The same, or why the provider says that it cannot start.
    ///
    /// # Errors
    /// The provider's reason.
    pub async fn try_start(launch: Launch) -> Result<Self, String> {
        let host = Self::spawn(launch);
        host.say_start();
        match host.hear().await {
            ToHost::Ready => Ok(host),
            ToHost::Failed { reason } => Err(reason),
            other => panic!("not the answer to a start: {other:?}"),
        }
    }

    /// Starts the process, which is told nothing yet.
    pub fn spawn(launch: Launch) -> Self {
        let Launch { binary, mut config, id, lanes, log, leases } = launch;
        let dir = (!config.contains_key(DATA_DIR)).then(|| tempfile::tempdir().expect("a folder"));
        if let Some(dir) = &dir {
            config.insert(DATA_DIR.to_owned(), dir.path().display().to_string());
        }
        let start = Start {
            id: id.parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config,
            log,
        };
        let (actors, member) = (Arc::default(), Arc::new(Member::of(leases)));
        let (process, sockets) = Process::spawn(&binary, lanes);
        let (lanes, said) = door::open(sockets, &actors, &member);
        let (said, links) = (Mutex::new(said), AtomicU32::new(1));
        Self { lanes, said, actors, member, links, process, start, _dir: dir }
    }

    /// Links an actor to the provider's interfaces: it may call them over the link.
    ///
    /// # Errors
    /// The provider's reason why the link does not hold.
    pub async fn link_to_provider(
        &self,
        interfaces: &[&str],
        constraints: Constraints,
        config: Settings,
    ) -> Result<Link, String> {
        let number = self.next_link();
        let grant = LinkGrant { constraints, config, ..grant(number, Side::Target, interfaces) };
        self.put(grant).await?;
        Ok(self.link(number))
    }

    /// Links the provider to an actor's interfaces: it may call them over the link, whose number this answers.
    ///
    /// # Errors
    /// The provider's reason why the link does not hold.
    pub async fn link_to_actor(
        &self,
        interfaces: &[&str],
        config: Settings,
        actor: Actor,
    ) -> Result<u32, String> {
        let number = self.next_link();
        self.play(number, actor);
        self.put(LinkGrant { config, ..grant(number, Side::Source, interfaces) }).await?;
        Ok(number)
    }

    /// A number that no link has yet.
    pub fn next_link(&self) -> u32 {
        self.links.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a link, or puts it again: what the provider makes of it.
    ///
    /// # Errors
    /// The provider's reason why the link does not hold.
    pub async fn put(&self, grant: LinkGrant) -> Result<LinkDetail, String> {
        let number = grant.link;
        self.say(&ToProvider::PutLink(grant));
        match self.hear().await {
            ToHost::LinkPut { link, outcome } if link == number => outcome,
            other => panic!("not the answer to link {number}: {other:?}"),
        }
    }

    /// Takes a link away again. What the provider still calls over it is denied.
    pub async fn delete(&self, link: u32) {
        self.say(&ToProvider::DeleteLink { link });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link });
        self.actors.remove(link);
    }

    /// The calling end of a link, held or not: a host does not call over one that is not.
    pub fn link(&self, number: u32) -> Link {
        Link::new(Arc::clone(&self.lanes), number)
    }

    /// Puts an actor at the other end of a link, in place of any that is there. Without one the provider's calls are denied.
    pub fn play(&self, link: u32, actor: Actor) {
        self.actors.put(link, actor);
    }

    /// Has the provider take nothing new and finish what is under way, and waits until it has.
    pub async fn drain(&self) {
        self.say(&ToProvider::Drain { grace_ms: GRACE_MS });
        assert_eq!(self.hear().await, ToHost::Drained);
    }

    /// Says how to start to a provider that was only [spawned](Self::spawn), and does not wait for what it says about that.
    pub fn say_start(&self) {
        self.say(&ToProvider::Start(self.start.clone()));
    }

    /// Says anything to the provider.
    pub fn say(&self, message: &ToProvider) {
        self.lanes[0].control(codec::encode(message)).expect("the provider lives");
    }

    /// What the provider says next.
    pub async fn hear(&self) -> ToHost {
        let mut said = self.said.lock().await;
        let heard = timeout(PATIENCE, said.recv()).await.expect("the provider answers its host");
        heard.expect("the provider lives")
    }

    /// The host's ends of the lanes' sockets, the first lane's first.
    pub fn lanes(&self) -> &[Connection] {
        &self.lanes
    }

    /// The folder that the provider may call its own.
    pub fn data_dir(&self) -> &Path {
        Path::new(&self.start.config[DATA_DIR])
    }

    /// Kills the process, which has no time to clean up.
    pub async fn kill(&mut self) {
        self.process.kill().await;
        self.member.leave();
    }

    /// Closes the sockets, as a host's death does, and waits for the process to end.
    pub async fn hang_up(&mut self) -> ExitStatus {
        self.lanes.iter().for_each(Connection::close);
        self.member.leave();
        self.ended().await
    }

    /// Waits until the process has ended, by itself or not.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Files, sockets and folders that the process has open.
    pub fn open_files(&self) -> usize {
        self.process.open_files()
    }

    /// The memory that the process has, in bytes.
    pub fn memory(&self) -> u64 {
        self.process.memory("VmRSS:")
    }

    /// The most memory that the process has had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.process.memory("VmHWM:")
    }

    /// What the process has logged so far; all of it, once it has [`ended`](Self::ended).
    pub fn logged(&self) -> String {
        self.process.logged()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.member.leave();
    }
}
