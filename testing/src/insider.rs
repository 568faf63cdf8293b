//! Somebody who has the password of the lattice's NATS, and signs with whatever keys they have.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use wattle_claims::{Audience, Draft, Record, RecordKey, RecordValue, Signed, Timestamp};
use wattle_core::{
    HostKey, LatticeName,
    control::{Answer, Command, Failure, Outcome},
    event::{CloudEvent, Event},
};
use wattle_lattice::{Auth, ConnectOptions};

use crate::{Lattice, Signing};

/// How long an answer may take; a host that does not believe a command may say nothing.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// An open connection to a lattice's NATS.
pub struct Insider {
    /// What they speak through.
    pub mesh: wattle_lattice::Lattice,
    /// The lattice's first host.
    pub host: HostKey,
    /// For whom the lattice's tokens are meant.
    pub audience: Audience,
}

impl Lattice {
    /// Connects with the password that `wattle up` generated.
    pub async fn insider(&self) -> Insider {
        let file = self.file();
        let text = |name: &str| file["nats"][name].as_str().map(str::to_owned);
        let auth = match (text("user"), text("password")) {
            (Some(user), Some(password)) => Auth::UserPassword { user, password },
            _ => Auth::None,
        };
        let options = ConnectOptions {
            servers: vec![text("url").expect("lattice.json names NATS")],
            auth,
            client_name: "insider".to_owned(),
            ..ConnectOptions::default()
        };
        let name = file["lattice"].as_str().unwrap_or("default").parse::<LatticeName>();
        let mesh = wattle_lattice::Lattice::connect(name.expect("a name"), &options).await;
        Insider {
            mesh: mesh.expect("NATS is there"),
            host: self.home().parse().expect("a host's key"),
            audience: self.chain().audience(),
        }
    }
}

impl Insider {
    /// A command to the host as one would honestly make it.
    pub fn draft(&self, command: Command) -> Draft<Command> {
        Draft {
            subject: self.host.to_string(),
            audience: self.audience.clone(),
            not_before: None,
            expires: Some(Timestamp::now().plus(Duration::from_secs(60))),
            body: command,
        }
    }

    /// Sends any text as a command. None if nobody answers, or not in time.
    pub async fn send(&self, token: &str) -> Option<Result<Outcome, Failure>> {
        let answer = self.mesh.command(&self.host, token, ANSWER_MAX).await.ok()?;
        let answer = Signed::<Answer>::parse(&answer).expect("hosts answer with tokens");
        Some(answer.peek().expect("an answer").body.outcome)
    }

    /// Sends any text as a command, and waits for an answer only so long that the next one does not overtake it.
    pub async fn send_nowhere(&self, token: &str) {
        const PAUSE: Duration = Duration::from_millis(5);
        // Nobody answers noise, and that is what is meant to happen.
        let _: Result<String, _> = self.mesh.command(&self.host, token, PAUSE).await;
    }

    /// Sends a command that `by` signs.
    pub async fn tell(&self, by: &Signing, command: Command) -> Option<Result<Outcome, Failure>> {
        let token = self.draft(command).sign(by.issuer(), Timestamp::now()).expect("it may sign");
        self.send(token.text()).await
    }

    /// A record that `by` signs.
    pub fn record<T: RecordValue>(
        &self,
        by: &Signing,
        key: RecordKey,
        generation: u64,
        value: Option<T>,
    ) -> String {
        let draft = Draft {
            subject: key.to_string(),
            audience: self.audience.clone(),
            not_before: None,
            expires: None,
            body: Record { generation, key, value },
        };
        let signed = draft.sign(by.issuer(), Timestamp::now()).expect("it may sign");
        signed.text().to_owned()
    }

    /// All events from now on.
    pub async fn events(&self) -> impl Stream<Item = CloudEvent> + Unpin + use<> {
        Box::pin(self.mesh.events().await.expect("events can be subscribed to"))
    }
}

/// The first event for which `wanted` gives something.
///
/// # Panics
/// If there is none within 15 s.
pub async fn event<T>(
    events: &mut (impl Stream<Item = CloudEvent> + Unpin),
    wanted: impl Fn(&Event) -> Option<T>,
) -> T {
    let found = async {
        while let Some(event) = events.next().await {
            if let Some(found) = wanted(&event.data) {
                return Some(found);
            }
        }
        None
    };
    let found = tokio::time::timeout(Duration::from_secs(15), found).await;
    found.ok().flatten().expect("such an event")
}
