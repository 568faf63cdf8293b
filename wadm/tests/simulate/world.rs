//! A world: hosts, two reconcilers, what is asked for, and the mail between them.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use wattle_core::{HostKey, link::LinkKey};
use wattle_wadm::{
    plan::{Command, Desired, Host, Phase, PutLink},
    reconcile::Round,
};

use crate::{
    applications,
    hosts::{SimHost, key},
    leaders::Leader,
    run::Tally,
};

/// Milliseconds of one step.
pub(crate) const STEP_MS: u64 = 250;
const REPORT_MS: u64 = 1_000;

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) now_ms: u64,
    pub(crate) hosts: BTreeMap<HostKey, SimHost>,
    pub(crate) hosts_ever: u8,
    pub(crate) links: BTreeMap<LinkKey, PutLink>,
    pub(crate) desired: Desired,
    /// The newest lease that was given.
    pub(crate) lease: u64,
    pub(crate) leaders: [Leader; 2],
    /// Faults happen.
    pub(crate) is_rough: bool,
    pub(crate) tally: Tally,
    mail: BTreeMap<(u64, u64), Mail>,
    posted: u64,
}

/// Something on its way.
enum Mail {
    Command { leader: usize, lease: u64, sent_ms: u64, command: Command },
    Answer { leader: usize, sent_ms: u64, command: Command, outcome: Result<(), String> },
    Report { leader: usize, host: HostKey, report: Box<Host>, at_ms: u64 },
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let desired = applications::some(&mut rng);
        let mut world = Self {
            rng,
            now_ms: 0,
            hosts: BTreeMap::new(),
            hosts_ever: 0,
            links: BTreeMap::new(),
            desired,
            lease: 0,
            leaders: Default::default(),
            is_rough: true,
            tally: Tally::default(),
            mail: BTreeMap::new(),
            posted: 0,
        };
        for _ in 0..world.rng.random_range(1..6) {
            world.join();
        }
        world.elect(0);
        world
    }

    /// A host joins.
    pub(crate) fn join(&mut self) {
        let room = self.rng.random_range(10..60);
        self.hosts.insert(key(self.hosts_ever), SimHost::new(self.hosts_ever, room));
        self.hosts_ever += 1;
    }

    /// One of the two gets the lease; the other notices later, or not at all.
    pub(crate) fn elect(&mut self, leader: usize) {
        self.lease += 1;
        self.leaders[leader].take_over(self.lease);
    }

    pub(crate) fn chance(&mut self, percent: f64) -> bool {
        self.rng.random_bool(percent / 100.0)
    }

    /// A quarter of a second; what each leader's round gave.
    pub(crate) fn step(&mut self) -> Vec<Round> {
        self.now_ms += STEP_MS;
        let due: Vec<(u64, u64)> =
            self.mail.range(..(self.now_ms, 0)).map(|(when, _)| *when).collect();
        for when in due {
            let mail = self.mail.remove(&when).expect("it is there");
            self.deliver(mail);
        }
        if self.is_rough {
            crate::faults::some(self);
        }
        for host in self.hosts.values_mut().filter(|host| host.is_up) {
            host.tick(self.now_ms);
        }
        if self.now_ms.is_multiple_of(REPORT_MS) {
            self.report();
        }
        (0..self.leaders.len()).filter_map(|leader| self.lead(leader)).collect()
    }

    /// Hosts say what they run, and hear who leads: they watch the lease as they watch records.
    fn report(&mut self) {
        for host in self.hosts.values_mut().filter(|host| host.is_reachable()) {
            host.lease = self.lease;
        }
        let said: Vec<(HostKey, Host)> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.is_reachable())
            .map(|(key, host)| (key.clone(), host.report()))
            .collect();
        for (host, report) in said {
            for leader in 0..self.leaders.len() {
                let (host, report) = (host.clone(), Box::new(report.clone()));
                self.post(Mail::Report { leader, host, report, at_ms: self.now_ms });
            }
        }
    }

    fn lead(&mut self, index: usize) -> Option<Round> {
        let leader = &mut self.leaders[index];
        if leader.frozen_until_ms > self.now_ms {
            return None;
        }
        if leader.deposed_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            leader.lease = None;
            leader.deposed_at_ms = None;
        }
        let lease = leader.lease?;
        let round = leader.round(self.now_ms, &self.desired, &self.links);
        for command in &round.commands {
            self.check(command);
            self.tally.commands += 1;
            let (sent_ms, command) = (self.now_ms, command.clone());
            if self.is_rough && self.chance(5.0) {
                self.tally.doubled += 1;
                let command = command.clone();
                self.post(Mail::Command { leader: index, lease, sent_ms, command });
            }
            self.post(Mail::Command { leader: index, lease, sent_ms, command });
        }
        Some(round)
    }

    /// What no reconciler may say, whatever it believes to see.
    fn check(&self, command: &Command) {
        let is_deployed = |name| self.desired.applications[name].phase == Phase::Deployed;
        match command {
            Command::Run { id, .. } | Command::Stop { id, .. } => {
                assert!(id.as_str().contains('/'), "{id} is nobody's business: {command:?}");
            }
            Command::DeleteLink { application, key } => {
                let links = &self.desired.applications[application].links;
                assert!(!(is_deployed(application) && links.contains_key(key)), "{command:?}");
            }
            Command::PutLink { application, key } => {
                assert!(self.desired.applications[application].links.contains_key(key));
            }
        }
    }

    /// Takes its time, and in rough times may get lost.
    fn post(&mut self, mail: Mail) {
        let luck = self.rng.random_range(0..100);
        let delay_ms = match luck {
            0..5 if self.is_rough => {
                self.tally.lost += 1;
                return;
            }
            5..15 if self.is_rough => self.rng.random_range(0..40_000),
            _ if self.is_rough => self.rng.random_range(0..1_500),
            _ => self.rng.random_range(0..200),
        };
        self.posted += 1;
        self.mail.insert((self.now_ms + delay_ms, self.posted), mail);
    }

    fn deliver(&mut self, mail: Mail) {
        match mail {
            Mail::Report { leader, host, report, at_ms } => {
                self.leaders[leader].hear(host, *report, at_ms);
            }
            Mail::Answer { leader, sent_ms, command, outcome } => {
                self.leaders[leader].answered(self.now_ms, sent_ms, &command, outcome);
            }
            Mail::Command { leader, lease, sent_ms, command } => {
                self.deliver_command(leader, (lease, sent_ms), command);
            }
        }
    }

    fn deliver_command(&mut self, leader: usize, sent: (u64, u64), command: Command) {
        let start_ms = self.rng.random_range(0..if self.is_rough { 8_000 } else { 1_000 });
        let fails = self.is_rough && self.chance(10.0);
        let Some(key) = self.addressee(&command) else { return };
        let Some(host) = self.hosts.get_mut(&key).filter(|host| host.is_reachable()) else {
            return;
        };
        let answer = if fails {
            self.tally.failed += 1;
            Err("no such luck".to_owned())
        } else {
            host.obey(self.now_ms, sent, &command, &self.desired, start_ms)
        };
        match answer {
            Ok(true_ms) => {
                self.record(&command);
                // It is said when it is true.
                let wait_ms = true_ms - self.now_ms;
                self.posted += 1;
                let mail = Mail::Answer { leader, sent_ms: sent.1, command, outcome: Ok(()) };
                self.mail.insert((self.now_ms + wait_ms + 1, self.posted), mail);
            }
            Err(reason) => {
                self.tally.refused += u64::from(!fails);
                self.post(Mail::Answer { leader, sent_ms: sent.1, command, outcome: Err(reason) });
            }
        }
    }

    /// Records are handed to any host.
    fn addressee(&mut self, command: &Command) -> Option<HostKey> {
        match command {
            Command::Run { host, .. } | Command::Stop { host, .. } => Some(host.clone()),
            Command::PutLink { .. } | Command::DeleteLink { .. } => {
                let reachable = self.hosts.iter().filter(|(_, host)| host.is_reachable());
                reachable.max_by_key(|(_, host)| host.lease).map(|(key, _)| key.clone())
            }
        }
    }

    fn record(&mut self, command: &Command) {
        match command {
            Command::PutLink { application, key } => {
                let application_of = &self.desired.applications[application];
                let put = application_of.links[key].put_by(application);
                self.links.insert(key.clone(), put);
            }
            Command::DeleteLink { key, .. } => drop(self.links.remove(key)),
            Command::Run { .. } | Command::Stop { .. } => {}
        }
    }
}
