//! Calls that leave this host, and those that arrive from others.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use parking_lot::Mutex;
use rand::seq::IteratorRandom as _;
use tokio::time::{sleep, timeout_at};
use tracing::debug;
use wattle_core::{CallError, ErrorKind, HostKey, Link, call::RemoteHead, codec};
use wattle_lattice::Sessions;
use wattle_wire::{Reply, Request};

use super::{Denial, Edge, Router, Routes, carry::left_ms, step};
use crate::{
    actors::{CallContext, deadline_passed},
    lanes::Lanes,
    peers::Member,
};

/// The most bytes of a request's head between two hosts.
const HEAD_LEN_MAX: usize = 4 * 1024;
/// A host that could not be reached is asked last for so long; then one call tries it, while others still go elsewhere.
const SHUNNED: Duration = Duration::from_secs(1);
/// For how long a host is asked again that is there and not ready, and how long between: it may be about to learn what it lacks.
const PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_STEP: Duration = Duration::from_millis(25);

/// How calls reach other hosts.
#[derive(Default)]
pub(crate) struct Elsewhere {
    sessions: ArcSwapOption<Sessions<Member>>,
    shunned: Mutex<HashMap<HostKey, Instant>>,
    is_preferred: AtomicBool,
}

impl Elsewhere {
    /// From now on other hosts are called over these sessions.
    pub(crate) fn join(&self, sessions: Sessions<Member>) {
        self.sessions.store(Some(Arc::new(sessions)));
    }

    /// Other hosts are called no more.
    pub(crate) fn leave(&self) -> Option<Arc<Sessions<Member>>> {
        self.sessions.swap(None)
    }

    /// Whether this host calls nobody any more, nor is called.
    pub(crate) fn has_left(&self) -> bool {
        self.is_preferred() && self.sessions.load().is_none()
    }

    /// Whether calls go to other hosts where these run the callee too, because this one is about to stop, say.
    pub(crate) fn is_preferred(&self) -> bool {
        self.is_preferred.load(Relaxed)
    }

    pub(crate) fn prefer(&self, is_preferred: bool) {
        self.is_preferred.store(is_preferred, Relaxed);
    }

    pub(crate) fn sessions(&self) -> Option<Arc<Sessions<Member>>> {
        self.sessions.load_full()
    }

    /// Of two hosts taken at random the one with fewer calls of ours; those that were out of reach come last.
    fn pick<'a>(
        &self,
        sessions: &Sessions<Member>,
        hosts: impl Iterator<Item = &'a HostKey> + Clone,
        tried: &[&HostKey],
    ) -> Option<&'a HostKey> {
        let now = Instant::now();
        let mut shunned = self.shunned.lock();
        let left = hosts.filter(|host| !tried.contains(host));
        let is_fit = |host: &&HostKey| shunned.get(*host).is_none_or(|until| now >= *until);
        let picked = less_busy(sessions, left.clone().filter(is_fit))
            .or_else(|| less_busy(sessions, left))?;
        if let Some(until) = shunned.get_mut(picked) {
            *until = now + SHUNNED;
        }
        Some(picked)
    }

    fn shun(&self, host: &HostKey) {
        self.shunned.lock().insert(host.clone(), Instant::now() + SHUNNED);
    }

    fn forgive(&self, host: &HostKey) {
        let mut shunned = self.shunned.lock();
        if !shunned.is_empty() {
            shunned.remove(host);
        }
    }
}

/// Of two taken at random, where there are several, the one with fewer calls of ours.
fn less_busy<'a>(
    sessions: &Sessions<Member>,
    mut hosts: impl Iterator<Item = &'a HostKey> + Clone,
) -> Option<&'a HostKey> {
    let all = hosts.clone();
    let first = hosts.next()?;
    if hosts.next().is_none() {
        return Some(first);
    }
    let mut rng = rand::rng();
    let two = [all.clone().choose(&mut rng), all.choose(&mut rng)];
    two.into_iter().flatten().min_by_key(|host| sessions.in_flight(host))
}

/// How an attempt on one host ended, when it did not end the call.
enum Attempt {
    /// It could not be reached.
    OutOfReach(CallError),
    /// It is there, and did not run the call.
    NotReady(CallError),
}

impl Router {
    /// Asks other hosts that run the callee, or `only` that one, one after the other as long as each provably did not run it. Says
    /// which one answered.
    pub(super) async fn carry_elsewhere<'h>(
        self: &Arc<Self>,
        edge: &'h Edge,
        only: Option<&HostKey>,
        interface: &str,
        function: &str,
        request: Request,
        context: &CallContext,
    ) -> Result<(Reply, &'h HostKey), CallError> {
        let hosts = edge.hosts(interface, only);
        if hosts.clone().next().is_none() {
            let error = edge.nowhere();
            self.spans.refused(context, &step(edge, interface, function, None), &error);
            return Err(error);
        }
        let Some(sessions) = self.elsewhere.sessions() else {
            return Err(CallError::new(ErrorKind::Unavailable, "this host leaves the lattice"));
        };
        let lane = Lanes::current().unwrap_or_default();
        let patient_until = (Instant::now() + PATIENCE).min(context.deadline);
        let mut next = Some(request);
        let mut tried = Vec::new();
        let mut last = None;
        loop {
            let Some(host) = self.elsewhere.pick(&sessions, hosts.clone(), &tried) else {
                let there = matches!(last, Some(Attempt::NotReady(_)));
                if there && Instant::now() + PATIENCE_STEP < patient_until {
                    sleep(PATIENCE_STEP).await;
                    tried.clear();
                    continue;
                }
                return Err(match last {
                    Some(Attempt::OutOfReach(error) | Attempt::NotReady(error)) => error,
                    None => edge.nowhere(),
                });
            };
            debug!(id = %context.id, caller = %edge.link.source.id, callee = %edge.link.target.id, interface, function, local = false, %host, "call");
            let span = self.spans.open(context, &step(edge, interface, function, Some(host)));
            let connecting = timeout_at(context.deadline.into(), sessions.connect(host, lane));
            let connection = match connecting.await.map_err(|_| deadline_passed())? {
                Ok(connection) => connection,
                Err(error) => {
                    span.close(Some(&error));
                    self.elsewhere.shun(host);
                    tried.push(host);
                    last = Some(Attempt::OutOfReach(error));
                    continue;
                }
            };
            self.elsewhere.forgive(host);
            let mut attempt =
                next.take().expect("an attempt follows only one that can be repeated");
            next = attempt.again();
            attempt.head = head(edge, interface, function, &span.context(context))?;
            let answered = timeout_at(context.deadline.into(), connection.call(attempt)).await;
            let answer = answered.unwrap_or_else(|_| Err(deadline_passed()));
            span.close(answer.as_ref().err());
            match answer {
                Err(error) if error.kind.is_for_another_host() && next.is_some() => {
                    tried.push(host);
                    last = Some(Attempt::NotReady(error));
                }
                answer => {
                    if matches!(&answer, Err(error) if error.kind == ErrorKind::Interrupted) {
                        self.elsewhere.shun(host);
                    }
                    return answer.map(|reply| (reply, host));
                }
            }
        }
    }

    /// A call from another host, which names the link by its record. It is judged here as if its caller were here.
    pub(crate) async fn call_from_host(
        self: &Arc<Self>,
        peer: &HostKey,
        request: Request,
    ) -> Result<Reply, CallError> {
        let bytes = request.head.clone();
        let head: RemoteHead<'_> = codec::decode(&bytes, HEAD_LEN_MAX).map_err(|error| {
            self.reports.refused("call of a host", "malformed");
            CallError::new(ErrorKind::Malformed, format!("request head: {error}"))
        })?;
        let routes = self.routes.load_full();
        // Both may be on their way here: the record of the link, and of what the caller's host runs.
        let not_yet = |what: String| Err(CallError::new(ErrorKind::Unavailable, what));
        let Some(edge) = routes.edge_of_host(&head.link) else {
            return not_yet(format!("host {peer} calls over a link that is not known here"));
        };
        let source = &edge.link.source;
        let Some(caller) = routes.on(peer, source) else {
            return not_yet(format!("host {peer} is not known here to run {source}"));
        };
        if !caller.imports.iter().any(|import| import.as_str() == head.interface) {
            let interface = &head.interface;
            self.reports.refused("call of a host", "not in its caller's claims");
            return not_yet(format!(
                "{source} on host {peer} is not known here to import {interface}"
            ));
        }
        if let Err(denial) = check_peer(&routes, &edge, peer) {
            let (caller, callee) = (edge.link.source.id.as_str(), edge.link.target.id.as_str());
            return Err(self.deny(caller, callee, &head.interface, &denial));
        }
        let context = CallContext {
            id: head.id,
            deadline: Instant::now() + Duration::from_millis(head.deadline_ms.into()),
            trace: head.trace,
            depth: head.depth,
        };
        let (interface, now) = (&head.interface, self.clock.now());
        edge.check_of(caller, interface, now)
            .map_err(|denial| self.refuse(&edge, interface, &head.function, &denial, &context))?;
        self.carry_here(&edge, &head.interface, &head.function, request, &context).await
    }
}

/// Whether a link may be called over from that host at all.
fn check_peer(routes: &Routes, edge: &Edge, peer: &HostKey) -> Result<(), Denial> {
    let Link { target, .. } = &edge.link;
    if !edge.is_for_others() {
        return Err(Denial::new(format!("the link {} is for calls on one host", edge.link.key())));
    }
    // What is built in is called on its account's hosts, where the link holds. Another host that says it runs the caller has no such
    // call: anybody has the claims to say so with.
    if target.identity.key.is_built_in() && routes.on(peer, target).is_none() {
        let account = &target.identity.account;
        return Err(Denial::new(format!(
            "host {peer} is not of account {account}, as {target} is"
        )));
    }
    Ok(())
}

fn head(
    edge: &Edge,
    interface: &str,
    function: &str,
    context: &CallContext,
) -> Result<Bytes, CallError> {
    let deadline_ms = left_ms(context)?;
    let head = RemoteHead {
        id: context.id,
        link: Cow::Borrowed(&edge.record),
        interface: Cow::Borrowed(interface),
        function: Cow::Borrowed(function),
        deadline_ms,
        depth: context.depth,
        trace: context.trace,
    };
    Ok(codec::encode(&head).into())
}

#[cfg(test)]
mod tests {
    use wattle_core::{AccountKey, BuiltIn, Locality, entity::CodeKey};

    use super::*;
    use crate::router::{Granted, Known, RoutesBuilder, There, Validity};

    fn host(letter: char) -> HostKey {
        format!("N{}", letter.to_string().repeat(55)).parse().expect("a key")
    }

    #[test]
    fn only_a_host_of_the_account_has_calls_for_what_is_built_in() {
        let account = |letter: char| -> AccountKey {
            format!("A{}", letter.to_string().repeat(55)).parse().expect("a key")
        };
        let always = || Validity { broken: None, from: None, until: None };
        let known = |party, imports: Vec<_>, exports: Vec<_>| Known {
            party,
            imports,
            exports,
            validity: always(),
        };
        let control = BuiltIn::LatticeControl;
        let built_in =
            |letter| known(control.party(account(letter)), control.imports(), control.exports());
        let target = control.party(account('A'));
        let mut source = target.clone();
        source.id = "steward".parse().expect("an id");
        let key = format!("M{}", "A".repeat(55)).parse().expect("a key");
        source.identity.key = CodeKey::Actor(key);
        let link = Link {
            source: source.clone(),
            target,
            name: "default".parse().expect("a name"),
            interfaces: vec!["wattle:control/state".parse().expect("an interface")],
            locality: Locality::Any,
            constraints: Default::default(),
            source_config: Default::default(),
            target_config: Default::default(),
        };
        let mut builder = RoutesBuilder::default();
        builder.entity(built_in('A'), super::super::Callee::BuiltIn(control));
        // Both say that they run the caller, by claims that anybody has.
        for (letter, account) in [('B', 'A'), ('C', 'B')] {
            for known in [built_in(account), known(source.clone(), control.exports(), vec![])] {
                builder.placed(There { host: host(letter), known, is_leaving: false });
            }
        }
        let validity = always();
        let granted =
            Granted { link: &link, account: &account('A'), validity: &validity, may_command: true };
        builder.link(1, &granted, |_, _| false);
        let routes = builder.finish();
        let edge = &routes.edges()[0];
        assert!(matches!(edge.standing, super::super::Standing::Granted { .. }));
        assert!(check_peer(&routes, edge, &host('B')).is_ok());
        let denial = check_peer(&routes, edge, &host('C')).expect_err("it is another account's");
        assert!(denial.reason.contains("is not of account"), "{denial}");
    }
}
