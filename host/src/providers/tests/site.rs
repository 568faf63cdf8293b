//! A host's part that supervises providers, and what the tests look at.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};
use wattle_core::{
    CallError, CallId, EntityId,
    call::RequestHead,
    codec,
    control::LogQuery,
    entity::{CodeKey, Identity, Party},
    inventory::ProviderState,
    provider::{LinkGrant, Side},
};
use wattle_wire::{Reply, Request};

use crate::{
    lanes::Lanes,
    logbook::LogBook,
    providers::{Calls, Image, Provider, ProviderLimits, ProviderSpec, Timings, Want},
};

/// Longer than anything that is expected takes, on a machine that does much else.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) struct Site {
    pub(super) lanes: Arc<Lanes>,
    pub(super) book: Arc<LogBook>,
    pub(super) timings: Timings,
    /// The leases that its providers want; nobody keeps them.
    pub(super) wants: mpsc::Receiver<Want>,
    lease_wants: mpsc::Sender<Want>,
}

impl Site {
    pub(super) fn new() -> Self {
        let lanes = Arc::new(Lanes::start(2).expect("two threads"));
        let (lease_wants, wants) = mpsc::channel(100);
        let (book, timings) = (Arc::new(LogBook::new()), Timings::default());
        Self { lanes, book, timings, wants, lease_wants }
    }

    /// Starts the unruly provider with these settings.
    pub(super) fn provider<const N: usize>(
        &self,
        id: &str,
        settings: [(&str, &str); N],
    ) -> Provider {
        static UNRULY: OnceLock<Arc<Image>> = OnceLock::new();
        let image = UNRULY.get_or_init(|| image(&unruly_path()));
        self.start(id, image.clone(), settings)
    }

    /// Starts a program that knows nothing of being a provider.
    pub(super) fn program(&self, path: &str) -> Provider {
        self.start("program", image(Path::new(path)), [])
    }

    pub(super) fn start<const N: usize>(
        &self,
        id: &str,
        image: Arc<Image>,
        settings: [(&str, &str); N],
    ) -> Provider {
        let config = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = ProviderSpec {
            id: id.parse().expect("an id"),
            account: format!("A{}", "A".repeat(55)).parse().expect("a key"),
            lattice: "test".parse().expect("a name"),
            config: config.into(),
            image,
            log: "info".to_owned(),
            limits: ProviderLimits { memory_bytes: 256 << 20, open_files: 300 },
            timings: self.timings,
        };
        let wants = self.lease_wants.clone();
        Provider::start(spec, self.lanes.clone(), Arc::new(TestCalls), wants, self.book.clone())
    }

    pub(super) fn log_of(&self, id: &str) -> Vec<String> {
        let id = Some(id.parse().expect("an id"));
        let page = self.book.page(&LogQuery { id, after: 0, lines: 10_000 });
        page.lines.into_iter().map(|line| line.message).collect()
    }
}

fn image(path: &Path) -> Arc<Image> {
    let binary = std::fs::read(path).unwrap_or_else(|error| {
        panic!(
            "{error}: {}; `cargo test` builds examples, or `cargo build --example`",
            path.display()
        )
    });
    Arc::new(Image::seal(&binary).expect("sealed"))
}

/// Cargo puts examples beside the folder of test binaries.
fn unruly_path() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let deps = test.parent().and_then(Path::parent).expect("target/debug/deps");
    deps.join("examples/unruly-provider")
}

/// Waits for a state of a provider.
pub(super) async fn until(
    provider: &Provider,
    fits: impl Fn(&ProviderState) -> bool,
) -> ProviderState {
    let mut state = provider.state();
    let found = timeout(SOON, state.wait_for(|state| fits(state))).await;
    match found.map(|found| found.expect("the provider is there").clone()) {
        Ok(state) => state,
        Err(_late) => panic!("it is {}", provider.state().borrow().clone()),
    }
}

/// Whether no process has this number any more, zombies included.
pub(super) fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

pub(super) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it is ours");
}

pub(super) fn head(function: &str) -> Bytes {
    let head = RequestHead {
        id: CallId::from_bytes([1; 16]),
        link: 1,
        interface: "test:unruly/store".into(),
        function: function.into(),
        deadline_ms: 10_000,
        trace: None,
    };
    codec::encode(&head).into()
}

pub(in crate::providers) fn grant(link: u32, outcome: &str) -> LinkGrant {
    let key = |letter: char| format!("{letter}{}", "A".repeat(55));
    let identity = Identity {
        account: key('A').parse().expect("a key"),
        key: CodeKey::Actor(key('M').parse().expect("a key")),
    };
    LinkGrant {
        link,
        side: Side::Target,
        peer: Party { id: "cart".parse().expect("an id"), identity },
        name: "default".parse().expect("a name"),
        interfaces: Vec::new(),
        constraints: Default::default(),
        config: [("outcome".to_owned(), outcome.to_owned())].into(),
    }
}

pub(super) struct TestCalls;

impl Calls for TestCalls {
    fn call(
        self: &Arc<Self>,
        provider: &Arc<EntityId>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let provider = provider.clone();
        async move {
            let said = String::from_utf8_lossy(&request.params).into_owned();
            let lane = Lanes::current().expect("a provider's call comes on a lane");
            Ok(Reply::new(format!("{provider} asks {said} on lane {lane}")))
        }
    }
}
