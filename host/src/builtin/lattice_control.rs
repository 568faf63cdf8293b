//! `wattle:control`: what is there, what may be changed within a link, and who is told of events. It does what the commands of users do,
//! by the same functions.

mod commands;
mod hosts;
mod scope;
mod state;
pub(crate) mod watchers;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{runtime::Handle, sync::Mutex};
use wattle_control::{
    ACTORS, COMMANDS, Error, HERE, HOSTS, LINKS, PROVIDERS, SCALE_ACTOR, START_ACTOR, STATE,
    STOP_ACTOR, STOP_PROVIDER,
    wire::{AboutHost, Outcome, Page},
};
use wattle_core::{CallError, ErrorKind, HostKey, call::unknown_function, codec};
use wattle_wire::{Reply, Request};

pub(super) use self::scope::{Interest, Scope};
use super::Refusal;
use crate::{
    actors::CallContext,
    control::Control,
    router::{At, Edge, Router},
};

/// The most bytes of a call's parameters.
const PARAMS_LEN_MAX: usize = 64 * 1024;

/// One host's, as long as the host is there.
pub(super) struct LatticeControl {
    control: Weak<Control>,
    /// Where commands run: one goes on though its actor does not wait for it.
    runtime: Handle,
    /// What was heard of hosts lately.
    heard: Mutex<Option<hosts::Heard>>,
}

/// The same with the host at hand, for one call.
struct Desk<'a> {
    control: Arc<Control>,
    runtime: &'a Handle,
    heard: &'a Mutex<Option<hosts::Heard>>,
}

/// One call, as the router has it.
pub(crate) struct Call<'a> {
    pub(crate) router: &'a Arc<Router>,
    pub(crate) edge: &'a Edge,
    pub(crate) interface: &'a str,
    pub(crate) function: &'a str,
    pub(crate) params: Bytes,
    pub(crate) context: &'a CallContext,
}

impl LatticeControl {
    pub(super) fn new(control: &Arc<Control>) -> Self {
        let control = Arc::downgrade(control);
        Self { control, runtime: Handle::current(), heard: Mutex::default() }
    }

    pub(super) async fn answer(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        let Some(control) = self.control.upgrade() else {
            let error = CallError::new(ErrorKind::Unavailable, "the host stops");
            return Err(Refusal::Failed(error));
        };
        let desk = Desk { control, runtime: &self.runtime, heard: &self.heard };
        desk.answer(call).await
    }
}

impl Desk<'_> {
    async fn answer(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        match call.interface {
            STATE => self.look(call).await,
            COMMANDS => self.command(call).await,
            interface => Err(Refusal::Failed(unknown_function(interface, call.function))),
        }
    }

    async fn look(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        match call.function {
            here if here == HERE.function => Ok(reply::<String>(Ok(self.control.host.to_string()))),
            hosts if hosts == HOSTS.function => Ok(reply(self.hosts().await)),
            lists if [ACTORS, PROVIDERS, LINKS].iter().any(|it| it.function == lists) => {
                Ok(match self.asked::<Page>(&call).await? {
                    Asked::Answered(reply) => reply,
                    Asked::Here(page) if lists == ACTORS.function => reply(Ok(self.actors(&page))),
                    Asked::Here(page) if lists == LINKS.function => reply(Ok(self.links(&page))),
                    Asked::Here(page) => reply(Ok(self.providers(&page))),
                })
            }
            function => Err(Refusal::Failed(unknown_function(STATE, function))),
        }
    }

    async fn command(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        let edge = call.edge;
        Ok(match call.function {
            start if start == START_ACTOR.function => match self.asked(&call).await? {
                Asked::Here(asked) => reply(self.start_actor(edge, asked).await),
                Asked::Answered(reply) => reply,
            },
            stop if stop == STOP_ACTOR.function => match self.asked(&call).await? {
                Asked::Here(asked) => reply(self.stop_actor(edge, asked).await),
                Asked::Answered(reply) => reply,
            },
            scale if scale == SCALE_ACTOR.function => match self.asked(&call).await? {
                Asked::Here(asked) => reply(self.scale_actor(edge, asked).await),
                Asked::Answered(reply) => reply,
            },
            stop if stop == STOP_PROVIDER.function => match self.asked(&call).await? {
                Asked::Here(asked) => reply(self.stop_provider(edge, asked).await),
                Asked::Answered(reply) => reply,
            },
            function => return Err(Refusal::Failed(unknown_function(COMMANDS, function))),
        })
    }

    /// What is asked of this host; what is asked of another goes there, over the same link, and nowhere else.
    async fn asked<P: DeserializeOwned + AboutHost>(
        &self,
        call: &Call<'_>,
    ) -> Result<Asked<P>, Refusal> {
        let params: P = codec::decode(&call.params, PARAMS_LEN_MAX).map_err(|error| {
            Refusal::Malformed(format!("{}.{}: {error}", call.interface, call.function))
        })?;
        let error = match params.host().map(str::parse::<HostKey>) {
            None => return Ok(Asked::Here(params)),
            Some(Ok(host)) if host == self.control.host => return Ok(Asked::Here(params)),
            Some(Ok(host)) if call.edge.is_on(&host) => {
                return Ok(Asked::Answered(elsewhere(call, host).await));
            }
            Some(Ok(host)) => {
                Error::NotFound(format!("no host {host} of the link's account is known here"))
            }
            Some(Err(error)) => Error::Invalid(error.to_string()),
        };
        Ok(Asked::Answered(reply::<()>(Err(error))))
    }
}

/// A call that is about this host, or the answer of the one that it is about.
enum Asked<P> {
    Here(P),
    Answered(Reply),
}

/// The other host's answer; that it does not give one is said in the contract's words.
async fn elsewhere(call: &Call<'_>, host: HostKey) -> Reply {
    let Call { router, edge, interface, function, params, context } = call;
    let at = At::Host(host);
    let request = Request { head: Bytes::new(), params: params.clone(), body: None };
    match router.carry_at(edge, &at, interface, function, request, context).await {
        Ok(reply) => reply,
        Err(CallError { kind, message, .. }) => {
            let what = format!("{at}: {message}");
            reply::<()>(Err(match kind {
                ErrorKind::Denied => Error::Denied(what),
                kind if kind.did_not_run() => Error::Unavailable(what),
                _ => Error::Failed(format!("{what} ({}: it may have run)", kind.as_str())),
            }))
        }
    }
}

fn reply<T: Serialize>(outcome: Outcome<T>) -> Reply {
    Reply { result: codec::encode(&outcome).into(), body: None }
}
