//! One link as the request path sees it: judged when the snapshot was made, checked against the clock at each call.

use std::sync::Arc;

use wattle_claims::Timestamp;
use wattle_core::{
    AccountKey, BuiltIn, CallError, ErrorKind, HostKey, Interface, Link, Locality, entity::Party,
    link::LinkConfig,
};
use wattle_http::outgoing::{Scope, ScopeError};

use super::{denial::Denial, grant::Known, routes::There};
use crate::{actors::Actor, providers::Provider};

/// A link, who is at its far end, and whether it may be used.
pub(crate) struct Edge {
    /// The link's number on the sockets of the providers at its ends.
    pub(crate) number: u32,
    pub(crate) link: Link,
    /// The account under which the link was issued, whose config records it may name.
    pub(crate) account: AccountKey,
    /// For calls that begin here.
    pub(crate) standing: Standing,
    /// For calls that begin on other hosts, but for what their callers' claims say: these differ from host to host.
    pub(crate) for_others: Standing,
    /// Who runs here under the caller's id, where that is somebody else.
    pub(crate) usurper: Option<Party>,
    pub(crate) callee: Callee,
    /// Other hosts that run the callee, where the link lets it be called there.
    pub(crate) elsewhere: Vec<OtherHost>,
    /// The key of the link's record, by which other hosts know it.
    pub(crate) record: Box<str>,
    /// What an actor may ask of the web over it, where it is for that.
    pub(crate) requests: Option<Result<Scope, ScopeError>>,
}

/// Another host that runs a link's callee.
pub(crate) struct OtherHost {
    pub(crate) host: HostKey,
    /// What the callee's claims there answer to.
    pub(crate) exports: Vec<Interface>,
    /// It is on its way out: only what must go there does.
    pub(crate) is_leaving: bool,
}

impl OtherHost {
    /// Whether calls on `interface` may go there as well as anywhere.
    pub(super) fn takes(&self, interface: &str) -> bool {
        !self.is_leaving && self.exports.iter().any(|export| export.as_str() == interface)
    }

    pub(super) fn of(there: &There) -> Self {
        let There { host, known, is_leaving } = there;
        Self { host: host.clone(), exports: known.exports.clone(), is_leaving: *is_leaving }
    }
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

    /// The other hosts that run the callee and do not leave.
    pub(crate) fn staying(&self) -> impl Iterator<Item = &HostKey> {
        self.elsewhere.iter().filter(|other| !other.is_leaving).map(|other| &other.host)
    }

    /// The other hosts that take calls on `interface`; of one that must be called it is `only` that one.
    pub(crate) fn hosts<'a, 'b>(
        &'a self,
        interface: &'b str,
        only: Option<&'b HostKey>,
    ) -> impl Iterator<Item = &'a HostKey> + Clone {
        let fits = move |other: &&OtherHost| match only {
            Some(host) => other.host == *host,
            None => other.takes(interface),
        };
        self.elsewhere.iter().filter(fits).map(|other| &other.host)
    }

    /// Whether `host` is one where the callee may be called, if it must be that one.
    pub(crate) fn is_on(&self, host: &HostKey) -> bool {
        self.elsewhere.iter().any(|other| other.host == *host)
    }

    /// Whether a call that begins here reaches anybody who runs the callee and is to stay.
    pub(crate) fn leads_somewhere(&self) -> bool {
        self.is_local() || self.staying().next().is_some()
    }

    /// That no host, where the link lets it be called, is known to run the callee.
    pub(crate) fn nowhere(&self) -> CallError {
        let target = &self.link.target.id;
        let text = match self.link.locality {
            Locality::Any => {
                format!("{target} does not run on this host, nor on another that is known")
            }
            Locality::Local => {
                format!("{target} does not run on this host, where the link keeps it")
            }
            Locality::Remote => format!("{target} does not run on another host that is known"),
        };
        CallError::new(ErrorKind::Unavailable, text)
    }

    /// Whether the link holds at `now` for calls that begin here, for whatever interfaces it covers.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.standing.holds(now)
    }

    /// Whether the link holds at `now` for calls that begin on other hosts, as far as the callee is concerned.
    pub(crate) fn holds_for_others(&self, now: Timestamp) -> bool {
        self.is_for_others() && self.for_others.holds(now)
    }

    /// Whether a call that begins here may pass on `interface` at `now`.
    pub(crate) fn check(&self, interface: &str, now: Timestamp) -> Result<(), Denial> {
        self.check_by(&self.standing, interface, now)
    }

    /// The same of a call that begins on another host, where `caller` runs.
    pub(crate) fn check_of(
        &self,
        caller: &Known,
        interface: &str,
        now: Timestamp,
    ) -> Result<(), Denial> {
        self.check_by(&self.for_others, interface, now)?;
        match caller.validity.broken_at(now) {
            None => Ok(()),
            Some(why) => Err(Denial::new(format!("the claims of {}: {why}", caller.party))),
        }
    }

    fn check_by(&self, standing: &Standing, interface: &str, now: Timestamp) -> Result<(), Denial> {
        let (interfaces, not, from, until) = match standing {
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
        let Link { source, target, name, interfaces, constraints, .. } = &self.link;
        let own = interfaces.iter().map(Interface::as_str);
        let all: Vec<&str> = own.chain([interface]).collect();
        // It takes the place of the one that there is, so it says what that does.
        let mut next =
            format!("wattle link put {} {} {} --name {name}", source.id, target.id, all.join(","));
        for (key, values) in constraints {
            values.iter().for_each(|value| next.push_str(&format!(" --constraint {key}={value}")));
        }
        let is_set = |config: &LinkConfig| !config.named.is_empty() || !config.values.is_empty();
        if is_set(&self.link.source_config) || is_set(&self.link.target_config) {
            next.push_str(" (and its settings)");
        }
        Denial::new(format!("the link {} does not cover {interface}", self.link.key()))
            .with_next(next)
    }
}

impl Standing {
    fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Denied(_) => false,
            Self::Granted { from, until, .. } => {
                until.is_none_or(|until| now <= until) && from.is_none_or(|from| now >= from)
            }
        }
    }
}
