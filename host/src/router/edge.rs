//! One link as the request path sees it: judged when the snapshot was made, checked against the clock at each call.

use std::sync::Arc;

use wattle_claims::Timestamp;
use wattle_core::{AccountKey, BuiltIn, HostKey, Interface, Link, Locality};
use wattle_http::outgoing::{Scope, ScopeError};

use super::denial::Denial;
use crate::{actors::Actor, providers::Provider};

/// A link, who is at its far end, and whether it may be used.
pub(crate) struct Edge {
    /// The link's number on the sockets of the providers at its ends.
    pub(crate) number: u32,
    pub(crate) link: Link,
    /// The account under which the link was issued, whose config records it may name.
    pub(crate) account: AccountKey,
    pub(crate) standing: Standing,
    pub(crate) callee: Callee,
    /// Other hosts that run the callee, where the link lets it be called there.
    pub(crate) elsewhere: Vec<HostKey>,
    /// The key of the link's record, by which other hosts know it.
    pub(crate) record: Box<str>,
    /// What an actor may ask of the web over it, where it is for that.
    pub(crate) requests: Option<Result<Scope, ScopeError>>,
}

/// What the chain of authority gave when it was walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Allowed on these interfaces, from and until these times; for the others the link names, why not.
    Granted {
        interfaces: Vec<Interface>,
        not: Vec<(Interface, Denial)>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// Not allowed.
    Denied(Denial),
}

/// Who answers.
#[derive(Clone)]
pub(crate) enum Callee {
    Actor(Arc<Actor>),
    Provider(Provider),
    /// This host itself.
    BuiltIn(BuiltIn),
    /// Nobody on this host.
    Absent,
}

impl Edge {
    /// Whether calls of this host's own may be answered here.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self.callee, Callee::Absent) && self.link.locality != Locality::Remote
    }

    /// Whether calls that begin on other hosts may be answered here.
    pub(crate) fn is_for_others(&self) -> bool {
        // Secrets are for who runs beside them.
        !matches!(self.callee, Callee::BuiltIn(BuiltIn::Secrets))
            && self.link.locality != Locality::Local
    }

    /// Whether the link holds at `now`, for whatever interfaces it covers.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        match &self.standing {
            Standing::Denied(_) => false,
            Standing::Granted { from, until, .. } => {
                until.is_none_or(|until| now <= until) && from.is_none_or(|from| now >= from)
            }
        }
    }

    /// Whether a call on `interface` may pass at `now`.
    pub(crate) fn check(&self, interface: &str, now: Timestamp) -> Result<(), Denial> {
        let (interfaces, not, from, until) = match &self.standing {
            Standing::Denied(denial) => return Err(denial.clone()),
            Standing::Granted { interfaces, not, from, until } => (interfaces, not, from, until),
        };
        if until.is_some_and(|until| now > until) {
            return Err(Denial::new(format!("the grant for {} has expired", self.link.key())));
        }
        if from.is_some_and(|from| now < from) {
            return Err(Denial::new(format!("the grant for {} is not valid yet", self.link.key())));
        }
        if interfaces.iter().any(|granted| granted.as_str() == interface) {
            return Ok(());
        }
        let named = not.iter().find(|(named, _)| named.as_str() == interface);
        Err(named.map_or_else(|| self.not_covered(interface), |(_, denial)| denial.clone()))
    }

    /// Whether this request may be sent over it. The provider at its far end asks the same again.
    pub(crate) fn check_request(&self, request: &http::request::Parts) -> Result<(), Denial> {
        let refused = match &self.requests {
            Some(Ok(scope)) => match scope.check(&request.method, &request.uri) {
                Ok(()) => return Ok(()),
                Err(refused) => refused.to_string(),
            },
            Some(Err(error)) => error.to_string(),
            None => return Err(self.not_covered(wattle_http::outgoing::SEND.interface)),
        };
        Err(Denial::new(format!("{refused} ({})", self.link.key())))
    }

    fn not_covered(&self, interface: &str) -> Denial {
        let Link { source, target, name, .. } = &self.link;
        let next = format!("wattle link put {} {} {interface} --name {name}", source.id, target.id);
        Denial::new(format!("the link {} does not cover {interface}", self.link.key()))
            .with_next(next)
    }
}
