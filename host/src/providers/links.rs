//! The links that a provider was told of: remembered over its restarts, with what it said to each. No I/O: what is to be sent is
//! returned.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use wattle_core::{
    EntityId, codec,
    link::LinkKey,
    provider::{CONTROL_LEN_MAX, LinkDetail, LinkGrant, Side, ToProvider},
};

use super::LinkOutcomes;
use crate::logbook::printable;

/// Links of one provider.
const LINKS_MAX: usize = 4_096;

/// Unanswered messages about one link; a change of it beyond has to wait until they are answered.
const UNANSWERED_MAX: usize = 8;

/// A link that failed is tried again so long after its last answer: the port may be free by then.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Bytes kept of what a provider says about a link.
const OUTCOME_LEN_MAX: usize = 2_000;

/// What those are told who still wait for a put then.
const DELETED: &str = "the link was deleted";
const PUT_AGAIN: &str = "the link was put again meanwhile";

/// What a provider said to a link, or why it was not asked.
pub(super) type LinkOutcome = Result<LinkDetail, String>;

/// A change of a link that somebody waits for.
#[derive(Debug)]
pub(super) enum LinkOrder {
    Put { grant: LinkGrant, answer: oneshot::Sender<LinkOutcome> },
    Delete { link: u32, answer: oneshot::Sender<()> },
}

/// All links of one provider.
#[derive(Debug)]
pub(super) struct Links {
    wanted: BTreeMap<u32, Wanted>,
    /// Who waits for a put that no process was asked for yet.
    unasked: Vec<Waiting>,
    /// What the process was asked and did not answer, by link, in the order in which it has to answer.
    asked: BTreeMap<u32, VecDeque<Asked>>,
    outcomes: watch::Sender<LinkOutcomes>,
    answer_max: Duration,
    running: bool,
}

#[derive(Debug)]
struct Wanted {
    grant: LinkGrant,
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    link: u32,
    until: Instant,
    answer: oneshot::Sender<LinkOutcome>,
}

#[derive(Debug)]
enum Asked {
    Put { until: Instant, answer: Option<oneshot::Sender<LinkOutcome>>, expired: bool },
    Delete { until: Instant, answer: Option<oneshot::Sender<()>> },
}

/// The provider answered what it was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unasked;

impl Links {
    /// No links; what is said to those that come is published in `outcomes`.
    pub(super) fn new(outcomes: watch::Sender<LinkOutcomes>, answer_max: Duration) -> Self {
        Self {
            wanted: BTreeMap::new(),
            unasked: Vec::new(),
            asked: BTreeMap::new(),
            outcomes,
            answer_max,
            running: false,
        }
    }

    /// Notes a change, and gives what the process has to be told, if one runs.
    pub(super) fn change(&mut self, order: LinkOrder, now: Instant) -> Option<ToProvider> {
        match order {
            LinkOrder::Put { grant, answer } => self.put(grant, answer, now),
            LinkOrder::Delete { link, answer } => self.delete(link, answer, now),
        }
    }

    fn put(
        &mut self,
        grant: LinkGrant,
        answer: oneshot::Sender<LinkOutcome>,
        now: Instant,
    ) -> Option<ToProvider> {
        let (link, until) = (grant.link, now + self.answer_max);
        if let Err(reason) = self.admit(&grant) {
            let _gone = answer.send(Err(reason));
            // What it was before it was changed does not hold any more, either.
            let (nobody, _) = oneshot::channel();
            return self.delete(link, nobody, now);
        }
        let wanted = Wanted { grant: grant.clone(), retry_at: None };
        let is_same = self.wanted.insert(link, wanted).is_some_and(|before| before.grant == grant);
        if !self.running {
            let superseded = self.unasked.extract_if(.., |waiting| waiting.link == link);
            superseded.for_each(|waiting| waiting.answer(Err(PUT_AGAIN.to_owned())));
            self.unasked.push(Waiting { link, until, answer });
            return None;
        }
        let unanswered = self.asked.get_mut(&link);
        let len = unanswered.as_ref().map_or(0, |unanswered| unanswered.len());
        match unanswered.and_then(VecDeque::back_mut) {
            // It is just this that it has still to answer.
            Some(last @ Asked::Put { answer: None, .. }) if is_same => {
                *last = Asked::Put { until, answer: Some(answer), expired: false };
                None
            }
            _ if len >= UNANSWERED_MAX => {
                let reason = "the provider does not answer to changes of this link".to_owned();
                // Tried again when it has answered; what it was before does not hold until then.
                self.publish(link, Err(reason.clone()), now);
                let _gone = answer.send(Err(reason));
                self.take_back(link, None, now)
            }
            _ => {
                self.ask(link, Asked::Put { until, answer: Some(answer), expired: false });
                Some(ToProvider::PutLink(grant))
            }
        }
    }

    fn admit(&self, grant: &LinkGrant) -> Result<(), String> {
        let known = self.wanted.contains_key(&grant.link);
        if !known && self.wanted.len() >= LINKS_MAX {
            return Err(format!("a provider can have {LINKS_MAX} links"));
        }
        let len = codec::encode(&ToProvider::PutLink(grant.clone())).len();
        if len > CONTROL_LEN_MAX {
            return Err(format!("the link has {len} bytes, the limit is {CONTROL_LEN_MAX}"));
        }
        Ok(())
    }

    fn delete(
        &mut self,
        link: u32,
        answer: oneshot::Sender<()>,
        now: Instant,
    ) -> Option<ToProvider> {
        let was_wanted = self.wanted.remove(&link).is_some();
        self.outcomes.send_if_modified(|outcomes| outcomes.remove(&link).is_some());
        let superseded = self.unasked.extract_if(.., |waiting| waiting.link == link);
        superseded.for_each(|waiting| waiting.answer(Err(DELETED.to_owned())));
        if !self.running || !was_wanted {
            let _gone = answer.send(());
            return None;
        }
        self.take_back(link, Some(answer), now)
    }

    /// Asks the process to forget the link, unless that is what it was asked last.
    fn take_back(
        &mut self,
        link: u32,
        answer: Option<oneshot::Sender<()>>,
        now: Instant,
    ) -> Option<ToProvider> {
        if let Some(Asked::Delete { .. }) = self.asked.get(&link).and_then(VecDeque::back) {
            let _gone = answer.map(|answer| answer.send(()));
            return None;
        }
        self.ask(link, Asked::Delete { until: now + self.answer_max, answer });
        Some(ToProvider::DeleteLink { link })
    }

    fn ask(&mut self, link: u32, asked: Asked) {
        self.asked.entry(link).or_default().push_back(asked);
    }

    /// A process is ready: it has to be told of all links.
    pub(super) fn process_ready(&mut self, now: Instant) -> Vec<ToProvider> {
        self.running = true;
        let mut waiting: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
        for one in std::mem::take(&mut self.unasked) {
            waiting.entry(one.link).or_default().push(one);
        }
        let links: Vec<u32> = self.wanted.keys().copied().collect();
        links
            .into_iter()
            .filter_map(|link| {
                let mut waiting = waiting.remove(&link).unwrap_or_default();
                let newest = waiting.pop();
                waiting.into_iter().for_each(|one| one.answer(Err(PUT_AGAIN.to_owned())));
                self.ask_again(link, newest, now)
            })
            .collect()
    }

    fn ask_again(
        &mut self,
        link: u32,
        waiting: Option<Waiting>,
        now: Instant,
    ) -> Option<ToProvider> {
        let wanted = self.wanted.get_mut(&link)?;
        wanted.retry_at = None;
        let grant = wanted.grant.clone();
        let until = waiting.as_ref().map_or(now + self.answer_max, |waiting| waiting.until);
        let answer = waiting.map(|waiting| waiting.answer);
        self.ask(link, Asked::Put { until, answer, expired: false });
        Some(ToProvider::PutLink(grant))
    }

    /// The process is gone. Who waits for a put waits on for the next process, within the same time.
    pub(super) fn process_ended(&mut self) {
        self.running = false;
        for (link, asked) in std::mem::take(&mut self.asked) {
            for asked in asked {
                match asked {
                    Asked::Put { until, answer: Some(answer), .. } => {
                        let waiting = Waiting { link, until, answer };
                        if self.wanted.contains_key(&link) {
                            self.unasked.push(waiting);
                        } else {
                            waiting.answer(Err(DELETED.to_owned()));
                        }
                    }
                    Asked::Put { answer: None, .. } => {}
                    Asked::Delete { answer, .. } => {
                        let _gone = answer.map(|answer| answer.send(()));
                    }
                }
            }
        }
    }

    /// The process answered a put.
    pub(super) fn link_put(
        &mut self,
        link: u32,
        outcome: LinkOutcome,
        now: Instant,
    ) -> Result<(), Unasked> {
        let Some(Asked::Put { answer, .. }) =
            self.take_asked(link, |asked| matches!(asked, Asked::Put { .. }))
        else {
            return Err(Unasked);
        };
        let outcome = bounded(outcome);
        // What it was asked since counts: that it has still to answer.
        if !self.asked.contains_key(&link) {
            self.publish(link, outcome.clone(), now);
        }
        let _gone = answer.map(|answer| answer.send(outcome));
        Ok(())
    }

    /// The process answered a deletion.
    pub(super) fn link_deleted(&mut self, link: u32) -> Result<(), Unasked> {
        match self.take_asked(link, |asked| matches!(asked, Asked::Delete { .. })) {
            Some(Asked::Delete { answer, .. }) => {
                let _gone = answer.map(|answer| answer.send(()));
                Ok(())
            }
            _ => Err(Unasked),
        }
    }

    fn take_asked(&mut self, link: u32, fits: impl Fn(&Asked) -> bool) -> Option<Asked> {
        let queue = self.asked.get_mut(&link)?;
        let asked = queue.pop_front_if(|asked| fits(asked))?;
        if queue.is_empty() {
            self.asked.remove(&link);
        }
        Some(asked)
    }

    fn publish(&mut self, link: u32, outcome: LinkOutcome, now: Instant) {
        let Some(wanted) = self.wanted.get_mut(&link) else { return };
        wanted.retry_at = outcome.is_err().then(|| now + RETRY_AFTER);
        self.outcomes.send_if_modified(|outcomes| {
            let changed = outcomes.get(&link) != Some(&outcome);
            outcomes.insert(link, outcome);
            changed
        });
    }

    /// Which link has this number, if there is one. `own` is the provider's id.
    pub(super) fn key(&self, link: u32, own: &EntityId) -> Option<LinkKey> {
        let grant = &self.wanted.get(&link)?.grant;
        let (own, peer) = (own.to_string(), grant.peer.id.to_string());
        let (source, target) = match grant.side {
            Side::Source => (own, peer),
            Side::Target => (peer, own),
        };
        let package = grant.interfaces.first()?.package().to_owned();
        Some(LinkKey { source, target, package, name: grant.name.clone() })
    }

    /// Whether the process has answered to every link.
    pub(super) fn are_settled(&self) -> bool {
        self.asked.is_empty()
    }

    /// Tells those who waited too long so, and gives what is to be tried again.
    pub(super) fn tick(&mut self, state: &str, now: Instant) -> Vec<ToProvider> {
        self.expire(now);
        for waiting in self.unasked.extract_if(.., |waiting| waiting.until <= now) {
            waiting.answer(Err(not_ready(state)));
        }
        if !self.running {
            return Vec::new();
        }
        let due = |wanted: &Wanted| wanted.retry_at.is_some_and(|at| at <= now);
        let links: Vec<u32> = self
            .wanted
            .iter()
            .filter(|(link, wanted)| due(wanted) && !self.asked.contains_key(link))
            .map(|(link, _)| *link)
            .collect();
        links.into_iter().filter_map(|link| self.ask_again(link, None, now)).collect()
    }

    /// What was asked stays asked, so that a late answer is still understood.
    fn expire(&mut self, now: Instant) {
        let mut late = Vec::new();
        for (link, asked) in self.asked.iter_mut().flat_map(|(link, queue)| {
            let link = *link;
            queue.iter_mut().map(move |asked| (link, asked))
        }) {
            match asked {
                Asked::Put { until, answer, expired } if *until <= now && !*expired => {
                    *expired = true;
                    late.push((link, answer.take()));
                }
                Asked::Delete { until, answer } if *until <= now => {
                    let _gone = answer.take().map(|answer| answer.send(()));
                }
                _ => {}
            }
        }
        let silent = format!("the provider did not answer within {:?}", self.answer_max);
        for (link, answer) in late {
            self.publish(link, Err(silent.clone()), now);
            let _gone = answer.map(|answer| answer.send(Err(silent.clone())));
        }
    }

    /// There will be no process for long: nobody waits in vain.
    pub(super) fn refuse(&mut self, state: &str) {
        self.unasked.drain(..).for_each(|waiting| waiting.answer(Err(not_ready(state))));
    }

    /// There will be no further process.
    pub(super) fn close(&mut self, state: &str) {
        self.process_ended();
        self.refuse(state);
    }
}

fn not_ready(state: &str) -> String {
    format!("the provider is not ready: {state}")
}

impl Waiting {
    fn answer(self, outcome: LinkOutcome) {
        let _gone = self.answer.send(outcome);
    }
}

/// What a provider says ends up in terminals and messages.
fn bounded(outcome: LinkOutcome) -> LinkOutcome {
    match outcome {
        Ok(LinkDetail { url }) => {
            Ok(LinkDetail { url: url.map(|url| printable(url, OUTCOME_LEN_MAX)) })
        }
        Err(reason) => Err(printable(reason, OUTCOME_LEN_MAX)),
    }
}

#[cfg(test)]
mod tests;
