//! Who is lost: each host listens to the one behind it in the order of their keys, so that each is listened to, and each beat by one
//! host, however many there are. Where nothing is heard, it listens to the next one too, in the place of the one that is silent.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};
use wattle_claims::{RecordKey, Signed};
use wattle_core::{
    HostKey,
    beat::{BEAT_INTERVAL_MS, BEATS_MISSED_MAX, Beat},
    event::Event,
};

use crate::{control::Control, records::Kept};

const LOOK_EVERY: Duration = Duration::from_millis(BEAT_INTERVAL_MS);
/// How late a beat, or a look of our own, may be on a busy machine.
const LATE_MAX: Duration = Duration::from_millis(500);
const SILENCE_MAX: Duration =
    Duration::from_millis(BEAT_INTERVAL_MS * BEATS_MISSED_MAX).saturating_add(LATE_MAX);

/// Listens for as long as this host runs, and says who is lost and who is back.
pub(crate) async fn keep_watch(control: Arc<Control>) {
    let mut watched: BTreeMap<HostKey, Watch> = BTreeMap::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked = Instant::now();
    loop {
        looks.tick().await;
        let stood_still = looked.elapsed() > LOOK_EVERY + LATE_MAX;
        looked = Instant::now();
        // Who heard nobody for reasons of its own says nothing about the others, and begins anew.
        if stood_still || !*control.lattice.connected().borrow() {
            watched.clear();
            continue;
        }
        look(&control, &mut watched);
    }
}

fn look(control: &Arc<Control>, watched: &mut BTreeMap<HostKey, Watch>) {
    let others = others(control);
    let mut before = std::mem::take(watched);
    for host in behind(&control.host, &others) {
        let mut watch = before.remove(host).filter(Watch::listens).unwrap_or_else(|| {
            debug!(%host, "listening for its beats");
            Watch::begin(control.clone(), host.clone())
        });
        let is_silent = watch.is_silent();
        watch.tell(control, host, is_silent, others[host]);
        watched.insert(host.clone(), watch);
        if !is_silent {
            return;
        }
    }
}

/// The other hosts that have said what they run, and whether they run something and mean to stay.
fn others(control: &Control) -> BTreeMap<HostKey, bool> {
    control.registry.look(|view| {
        let placed = view.records.iter().filter_map(|(key, entry)| match (key, &entry.record) {
            (RecordKey::Placement { host }, Kept::Placement(record, placed)) => {
                let is_leaving = record.body.value.as_ref().is_some_and(|said| said.leaving);
                Some((host.clone(), !placed.is_empty() && !is_leaving))
            }
            _ => None,
        });
        placed.filter(|(host, _)| *host != control.host).collect()
    })
}

/// All others in the order of their keys, from the one behind `own` on, round to the one before it.
fn behind<'a>(
    own: &'a HostKey,
    others: &'a BTreeMap<HostKey, bool>,
) -> impl Iterator<Item = &'a HostKey> {
    let (before, behind): (Vec<_>, Vec<_>) = others.keys().partition(|host| *host < own);
    behind.into_iter().chain(before)
}

/// One host that is listened to.
struct Watch {
    heard: watch::Receiver<Instant>,
    task: JoinHandle<()>,
    /// It was said that it is lost.
    is_lost: bool,
}

impl Watch {
    fn begin(control: Arc<Control>, host: HostKey) -> Self {
        let (hears, heard) = watch::channel(Instant::now());
        let task = tokio::spawn(async move {
            let mut beats = match control.lattice.beats_of(&host).await {
                Ok(beats) => beats,
                Err(error) => return debug!(%host, %error, "its beats cannot be heard"),
            };
            while let Some(token) = beats.next().await {
                if is_genuine(&control, &host, &token) {
                    hears.send_replace(Instant::now());
                }
            }
        });
        Self { heard, task, is_lost: false }
    }

    /// Whether it would hear a beat.
    fn listens(&self) -> bool {
        !self.task.is_finished()
    }

    fn is_silent(&self) -> bool {
        self.heard.borrow().elapsed() > SILENCE_MAX
    }

    /// Says what has changed. A host that runs nothing may go as it likes, and so may one that said that it leaves.
    fn tell(&mut self, control: &Control, host: &HostKey, is_silent: bool, is_missed: bool) {
        if is_silent && is_missed && !self.is_lost {
            self.is_lost = true;
            warn!(%host, "a host is lost: it missed {BEATS_MISSED_MAX} beats");
            control.reports.event(Event::HostLost { host: host.clone() });
        }
        if !is_silent && self.is_lost {
            self.is_lost = false;
            info!(%host, "a host that was lost is back");
            control.reports.event(Event::HostBack { host: host.clone() });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the host itself said it: nobody else keeps it alive.
fn is_genuine(control: &Control, host: &HostKey, token: &str) -> bool {
    let beat = Signed::<Beat>::parse(token)
        .and_then(|beat| beat.verify(&control.registry.trust(), control.registry.now()));
    match beat {
        Ok(beat) if beat.issuer == host.as_str() => true,
        Ok(_) => false,
        Err(error) => {
            control.reports.refused("beat of a host", &error.to_string());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(letter: char) -> HostKey {
        format!("N{}", letter.to_string().repeat(55)).parse().expect("a key")
    }

    #[test]
    fn each_host_listens_to_the_one_behind_it_and_the_last_to_the_first() {
        let all = ['A', 'B', 'C', 'D'].map(host);
        for (at, own) in all.iter().enumerate() {
            let others: BTreeMap<HostKey, bool> = all
                .iter()
                .filter(|other| *other != own)
                .map(|other| (other.clone(), true))
                .collect();
            let order: Vec<&HostKey> = behind(own, &others).collect();
            let expected: Vec<&HostKey> = (1..4).map(|step| &all[(at + step) % 4]).collect();
            assert_eq!(order, expected);
        }
        assert_eq!(behind(&all[0], &BTreeMap::new()).count(), 0);
    }
}
