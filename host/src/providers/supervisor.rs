//! What keeps a provider running: starts its process, tells it of its links, watches it, and starts the next when it ends.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use wattle_claims::LeaseScope;
use wattle_core::{
    Name,
    inventory::ProviderState,
    provider::{ToHost, ToProvider},
};

use super::{
    Calls, ProviderSpec, StartFailure, Want,
    ending::Ending,
    life::{Heard, Life, Phase, Remains, understood},
    links::{LinkOrder, Links},
    restarts::{Ended, Pause, Restarts},
    seat::Seat,
};
use crate::{lanes::Lanes, logbook::LogBook};

/// A process that is ready again serves its links first, but no link that stalls may hold back the others longer than this.
pub(super) const RELINK_MAX: Duration = Duration::from_secs(2);

/// What a provider's handles want of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Stopped { grace: Duration },
    Denied,
}

/// The task that owns a provider's processes, one after the other.
pub(super) struct Supervisor<C> {
    pub(super) spec: ProviderSpec,
    pub(super) lanes: Arc<Lanes>,
    pub(super) calls: Arc<C>,
    pub(super) lease_wants: mpsc::Sender<Want>,
    pub(super) book: Arc<LogBook>,
    pub(super) seat: Arc<Seat>,
    pub(super) links: Links,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) orders: mpsc::Receiver<LinkOrder>,
    pub(super) restarts: Restarts,
}

impl<C: Calls> Supervisor<C> {
    /// Runs until the provider is stopped or denied, or the last of its handles is dropped.
    pub(super) async fn run(mut self) {
        while self.is_wanted() {
            let pause = match self.start() {
                Err(ending) => self.ended(ending, Remains::default(), None),
                Ok(mut life) => {
                    let ending = self.watch(&mut life).await;
                    let served = life.served();
                    if served.is_some() {
                        self.seat.leave(self.state_at(&ending));
                    }
                    let remains = life.end(&ending).await;
                    self.ended(ending, remains, served)
                }
            };
            self.links.process_ended();
            self.pause(pause).await;
        }
    }

    fn is_wanted(&self) -> bool {
        self.wanted.has_changed().is_ok() && *self.wanted.borrow() == Wanted::Running
    }

    fn start(&self) -> Result<Life, Ending> {
        let id = self.seat.id();
        Life::start(&self.spec, id, &self.lanes, &self.calls, &self.lease_wants, &self.book)
            .map_err(|error| Ending::NotExecuted { reason: error.to_string() })
    }

    /// Until the process's life is over, by its own doing or by what is wanted.
    async fn watch(&mut self, life: &mut Life) -> Ending {
        let mut tick = interval(self.spec.timings.ping_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ending = tokio::select! {
                biased;
                changed = self.wanted.changed() => {
                    let wanted = changed.map(|()| self.wanted.borrow_and_update().clone());
                    self.obey(life, wanted.unwrap_or(Wanted::Denied)).await
                }
                heard = life.next() => self.hear(life, heard),
                Some(order) = self.orders.recv() => {
                    let told = self.links.change(order, Instant::now().into_std());
                    told.iter().for_each(|message| life.say(message));
                    None
                }
                _ = tick.tick() => self.tick(life),
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    async fn obey(&mut self, life: &mut Life, wanted: Wanted) -> Option<Ending> {
        match wanted {
            Wanted::Running => None,
            Wanted::Denied => Some(Ending::Denied),
            Wanted::Stopped { grace } => Some(self.drain(life, grace).await),
        }
    }

    fn hear(&mut self, life: &mut Life, heard: Heard) -> Option<Ending> {
        match heard {
            Heard::Exited => Some(Ending::Exited),
            Heard::LaneEnded { lane, why } => Some(Ending::LaneEnded { lane, why }),
            Heard::Frozen { silent_for } => Some(Ending::Frozen { silent_for }),
            Heard::Flooded => Some(Ending::Babbling),
            Heard::Said(said) => match understood(&said) {
                Some(ToHost::Failed { reason }) => Some(Ending::Failed { reason }),
                said => {
                    let makes_sense = said.is_some_and(|said| self.makes_sense(life, said));
                    (!makes_sense && life.babbles()).then_some(Ending::Babbling)
                }
            },
        }
    }

    fn makes_sense(&mut self, life: &mut Life, said: ToHost) -> bool {
        let now = Instant::now().into_std();
        let makes_sense = match said {
            ToHost::Ready if matches!(life.phase, Phase::Starting { .. }) => {
                self.tell_of_links(life);
                true
            }
            ToHost::LinkPut { link, outcome } => self.links.link_put(link, outcome, now).is_ok(),
            ToHost::LinkDeleted { link } => {
                life.leases.leave_link(link);
                self.links.link_deleted(link).is_ok()
            }
            ToHost::TakeLease { .. } | ToHost::LeaveLease { .. } | ToHost::WriteNote { .. } => {
                self.hear_of_lease(life, said)
            }
            ToHost::Ready | ToHost::Drained | ToHost::Failed { .. } => false,
        };
        if matches!(life.phase, Phase::Linking { .. }) && self.links.are_settled() {
            self.announce(life);
        }
        makes_sense
    }

    fn hear_of_lease(&self, life: &mut Life, said: ToHost) -> bool {
        match said {
            ToHost::TakeLease { lease, link, name } => {
                return self.take_lease(life, lease, link, name);
            }
            ToHost::LeaveLease { lease } => life.leases.leave(lease),
            ToHost::WriteNote { lease, write, note } => life.leases.write(lease, write, note),
            _ => {}
        }
        true
    }

    /// It wants a lease of one of its links. One of a link that was just deleted, it wants in vain.
    fn take_lease(&self, life: &mut Life, lease: u32, link: u32, name: Name) -> bool {
        let ProviderSpec { id, account, .. } = &self.spec;
        let Some(key) = self.links.key(link, id) else { return true };
        let scope = LeaseScope { account: account.clone(), provider: id.clone(), link: key, name };
        life.leases.take(lease, link, scope).is_ok()
    }

    /// The process is up; it serves once it knows its links.
    fn tell_of_links(&mut self, life: &mut Life) {
        let timings = self.spec.timings;
        life.feel_its_pulse(timings.ping_every, timings.pong_max);
        life.phase = Phase::Linking { until: Instant::now() + RELINK_MAX };
        for message in self.links.process_ready(Instant::now().into_std()) {
            life.say(&message);
        }
    }

    fn announce(&self, life: &mut Life) {
        let pid = life.pid();
        life.phase = Phase::Serving { since: Instant::now() };
        self.seat.take(life.serving().clone(), pid);
        tracing::info!(provider = %self.seat.id(), pid, "provider ready");
    }

    fn tick(&mut self, life: &mut Life) -> Option<Ending> {
        let now = Instant::now();
        match life.phase {
            Phase::Starting { until } if until <= now => {
                return Some(Ending::Silent { after: self.spec.timings.ready_max });
            }
            Phase::Linking { until } if until <= now => self.announce(life),
            _ => {}
        }
        self.tell_of_late_links(Some(life));
        None
    }

    fn tell_of_late_links(&mut self, life: Option<&Life>) {
        let state = self.seat.state().borrow().to_string();
        for message in self.links.tick(&state, Instant::now().into_std()) {
            if let Some(life) = life {
                life.say(&message);
            }
        }
    }

    /// The next start is far away, and likely to fail: who put a link meanwhile is told so now. The link is kept.
    fn refuse_links(&mut self) {
        let state = self.seat.state().borrow().to_string();
        self.links.refuse(&state);
    }

    /// Lets the process finish what is under way.
    async fn drain(&mut self, life: &mut Life, grace: Duration) -> Ending {
        if life.served().is_none() {
            return Ending::Stopped;
        }
        self.seat.leave(ProviderState::Stopping);
        let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        life.say(&ToProvider::Drain { grace_ms });
        let drained = async {
            loop {
                tokio::select! {
                    changed = self.wanted.changed() => {
                        if changed.is_err() || *self.wanted.borrow_and_update() == Wanted::Denied {
                            return Ending::Denied;
                        }
                    }
                    heard = life.next() => match heard {
                        // What is finished now may still have to be noted.
                        Heard::Said(said) => match understood(&said) {
                            Some(ToHost::Drained) => return Ending::Stopped,
                            Some(said) => drop(self.hear_of_lease(life, said)),
                            None => {}
                        },
                        _ => return Ending::Stopped,
                    },
                }
            }
        };
        timeout(grace, drained).await.unwrap_or(Ending::Stopped)
    }

    /// What calls are told while the process is brought to its end.
    fn state_at(&self, ending: &Ending) -> ProviderState {
        match ending {
            Ending::Stopped | Ending::Denied => ProviderState::Stopping,
            _ => ProviderState::Backoff { failures: self.restarts.in_a_row() },
        }
    }

    /// Notes how it ended; what follows, if it is to run again.
    fn ended(
        &mut self,
        ending: Ending,
        remains: Remains,
        served: Option<Duration>,
    ) -> Option<(Pause, Vec<String>)> {
        let ending = match remains.reason {
            Some(reason) if served.is_none() => Ending::Failed { reason },
            _ => ending,
        };
        let how = ending.describe(remains.exit);
        self.seat.exited(how.clone());
        if matches!(ending, Ending::Stopped | Ending::Denied) {
            tracing::info!(provider = %self.seat.id(), %how, "provider stopped");
            return None;
        }
        tracing::warn!(provider = %self.seat.id(), %how, "provider ended");
        if served.is_none() {
            let stderr = remains.stderr.clone();
            self.seat.failed(match ending {
                Ending::NotExecuted { .. } | Ending::Failed { .. } => {
                    StartFailure::Failed { reason: how }
                }
                _ => StartFailure::Exited { status: how, stderr },
            });
        }
        let was_killed = remains.exit.is_some_and(|exit| exit.was_killed_from_outside());
        let from_outside = was_killed || matches!(ending, Ending::Frozen { .. });
        let ended = Ended { served, from_outside };
        Some((self.restarts.ended(ended, Instant::now().into_std()), remains.stderr))
    }

    /// Waits for the time of the next start. In a crash loop the state stays that until a start succeeds.
    async fn pause(&mut self, pause: Option<(Pause, Vec<String>)>) {
        let Some((pause, stderr)) = pause else { return };
        let Pause { lasts, failures, is_loop } = pause;
        self.seat.leave(if is_loop {
            ProviderState::CrashLoop { failures, stderr }
        } else {
            ProviderState::Backoff { failures }
        });
        if is_loop {
            tracing::error!(provider = %self.seat.id(), failures, "provider keeps ending");
            self.refuse_links();
        }
        let over = sleep(lasts);
        tokio::pin!(over);
        let mut tick = interval(self.spec.timings.ping_every);
        while self.is_wanted() {
            tokio::select! {
                biased;
                _ = self.wanted.changed() => {}
                () = &mut over => {
                    self.seat.restarted();
                    if !is_loop {
                        self.seat.leave(ProviderState::Starting);
                    }
                    return;
                }
                Some(order) = self.orders.recv() => {
                    self.links.change(order, Instant::now().into_std());
                    if is_loop {
                        self.refuse_links();
                    }
                }
                _ = tick.tick() => self.tell_of_late_links(None),
            }
        }
    }
}

/// However it ends, with its lane too: nobody calls, or waits for, what is gone.
impl<C> Drop for Supervisor<C> {
    fn drop(&mut self) {
        self.seat.leave(ProviderState::Stopping);
        let state = self.seat.state().borrow().to_string();
        self.links.close(&state);
    }
}
