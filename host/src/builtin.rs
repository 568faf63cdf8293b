//! Providers that are built into the host. Like the others they answer what the router has authorized, over links that are judged
//! as all are; they have no process and no claims but the host's own, and nobody starts or stops them.

pub(crate) mod lattice_control;
mod pattern;
pub(crate) mod secrets;

use std::sync::{Arc, OnceLock};

use wattle_core::{
    BuiltIn, CallError, EntityId, ErrorKind, Link, Locality,
    call::unknown_function,
    control::{Failure, FailureKind},
    entity::CodeKey,
};
use wattle_wire::Reply;

pub(crate) use self::lattice_control::Call;
use self::lattice_control::{Interest, LatticeControl};
use crate::{
    control::Control,
    reports::Reports,
    router::{Denial, Edge},
    settings::Secrets,
};

/// What is built into one host.
pub(crate) struct BuiltIns {
    secrets: Secrets,
    control: OnceLock<LatticeControl>,
    reports: Arc<Reports>,
}

impl BuiltIns {
    /// Reads secrets from there.
    pub(crate) const fn new(secrets: Secrets, reports: Arc<Reports>) -> Self {
        Self { secrets, control: OnceLock::new(), reports }
    }

    /// From now on lattice-control answers, too, by what carries out commands.
    pub(crate) fn join(&self, control: &Arc<Control>) {
        // A host joins once.
        let _: Result<(), _> = self.control.set(LatticeControl::new(control));
    }

    /// Answers a call that the router has authorized.
    ///
    /// # Cancel safety
    /// Dropping the future drops the answer; what it read or did stays read or done.
    pub(crate) async fn call(&self, called: BuiltIn, call: Call<'_>) -> Result<Reply, CallError> {
        let Call { edge, interface, .. } = call;
        let answer = match called {
            BuiltIn::Secrets => self.secret(call).await,
            BuiltIn::LatticeControl => match self.control.get() {
                Some(control) => control.answer(call).await,
                None => {
                    let text = "the host has not joined its lattice yet";
                    Err(Refusal::Failed(CallError::new(ErrorKind::Unavailable, text)))
                }
            },
        };
        answer.map_err(|refusal| self.refuse(edge, interface, refusal))
    }

    async fn secret(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        let (interface, function) = (call.interface, call.function);
        if (interface, function) != (secrets::STORE, secrets::GET) {
            return Err(Refusal::Failed(unknown_function(interface, function)));
        }
        let result = secrets::get(&self.secrets, &call.edge.link, &call.params).await?;
        Ok(Reply { result: result.into(), body: None })
    }

    fn refuse(&self, edge: &Edge, interface: &str, refusal: Refusal) -> CallError {
        let Refusal::Denied(denial) = refusal else { return refusal.into() };
        let (caller, callee) = (edge.link.source.id.as_str(), edge.link.target.id.as_str());
        self.reports.call_denied(caller, callee, interface, &denial);
        CallError::new(ErrorKind::Denied, denial.to_string())
    }
}

/// Why something built in did not answer.
pub(crate) enum Refusal {
    /// It is beyond what the link allows.
    Denied(Denial),
    /// It is not a call of the contract's.
    Malformed(String),
    /// As any call may fail.
    Failed(CallError),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => Self::new(ErrorKind::Denied, denial.to_string()),
            Refusal::Malformed(what) => Self::new(ErrorKind::Malformed, what),
            Refusal::Failed(error) => error,
        }
    }
}

/// Whether a link to what is built in says what it may, and nothing else: what a provider would say to its link.
fn check_link(called: BuiltIn, link: &Link) -> Result<(), Denial> {
    if link.locality == Locality::Remote {
        let reason = format!("{called} answers on the host of its caller, never on another");
        return Err(Denial::new(reason).with_next("put the link without --locality remote"));
    }
    if !matches!(link.source.identity.key, CodeKey::Actor(_)) {
        let reason = format!("{called} answers actors: {} is none", link.source);
        return Err(Denial::new(reason));
    }
    match called {
        BuiltIn::Secrets => secrets::Scope::of(link).map(drop),
        BuiltIn::LatticeControl => lattice_control::Scope::of(link).map(drop),
    }
}

/// The same for a link from what is built in to an actor.
fn check_own_link(caller: BuiltIn, link: &Link) -> Result<(), Denial> {
    match caller {
        BuiltIn::Secrets => Err(Denial::new(format!("{caller} calls nobody"))),
        BuiltIn::LatticeControl => Interest::of(link).map(drop),
    }
}

/// Whether a link from or to what is built in could hold by what it says itself.
pub(crate) fn check(link: &Link) -> Result<(), Denial> {
    for end in [&link.source, &link.target] {
        if let CodeKey::BuiltIn(built_in) = &end.identity.key
            && end.id != built_in.id()
        {
            let reason = format!("{built_in} runs under its name alone, not as {}", end.id);
            return Err(Denial::new(reason));
        }
    }
    match (&link.source.identity.key, &link.target.identity.key) {
        (_, CodeKey::BuiltIn(called)) => check_link(*called, link),
        (CodeKey::BuiltIn(caller), _) => check_own_link(*caller, link),
        _ => Ok(()),
    }
}

/// Refuses to start or stop what is part of every host.
pub(crate) fn check_free(id: &EntityId) -> Result<(), Failure> {
    match BuiltIn::named(id.as_str()) {
        None => Ok(()),
        Some(built_in) => {
            let what = format!("{built_in} is built into every host: nothing starts or stops it");
            Err(Failure::new(FailureKind::Conflict, what)
                .with_next("take another --id; what is built in answers whoever has a link to it"))
        }
    }
}
