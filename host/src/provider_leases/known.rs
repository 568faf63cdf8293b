//! What one host knows of a lease, and whether it may take it: no I/O.

use std::time::{Duration, Instant};

use wattle_claims::{LeaseScope, ProviderLease};
use wattle_core::HostKey;

/// A lease that has not been renewed for so long is taken over.
pub(super) const EXPIRES_AFTER: Duration = Duration::from_secs(6);

/// What this host itself held or laid down last, it leaves to others for so long: its provider's process is new then, and another
/// host's has been there all the time.
const LEFT_TO_OTHERS: Duration = Duration::from_secs(1);

/// What this host knows of a lease.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The revision of what stands there; none before it was read, 0 for nothing.
    pub(super) revision: Option<u64>,
    /// The newest lease that was seen, and since when. What else is put there later does not end it.
    newest: Option<(ProviderLease, Instant)>,
}

impl Known {
    /// A lease that was written less often than the newest that is known is an old one that somebody put there again.
    pub(super) fn learn(&mut self, lease: ProviderLease, since: Instant) {
        if self.newest.as_ref().is_none_or(|(newest, _)| lease.count > newest.count) {
            self.newest = Some((lease, since));
        }
    }

    pub(super) fn is_ours(&mut self, lease: ProviderLease, revision: u64) {
        self.revision = Some(revision);
        self.newest = Some((lease, Instant::now()));
    }

    pub(super) fn note(&self) -> &[u8] {
        self.newest.as_ref().map_or(&[], |(lease, _)| &lease.note)
    }

    /// What comes after the newest.
    pub(super) fn next(
        &self,
        scope: &LeaseScope,
        host: &HostKey,
        note: Vec<u8>,
        released: bool,
    ) -> ProviderLease {
        let count = self.newest.as_ref().map_or(0, |(lease, _)| lease.count).saturating_add(1);
        ProviderLease { scope: scope.clone(), holder: host.clone(), count, released, note }
    }

    /// The revision at which this host may take it, if it may.
    pub(super) fn free_at(&self, host: &HostKey, now: Instant) -> Option<u64> {
        // What this host held before it was started again, nobody holds.
        let left_alone_for = |lease: &ProviderLease| match (lease.holder == *host, lease.released) {
            (true, _) => Some(LEFT_TO_OTHERS),
            (false, false) => Some(EXPIRES_AFTER),
            (false, true) => None,
        };
        let is_left_alone = self.newest.as_ref().is_some_and(|(lease, since)| {
            left_alone_for(lease).is_some_and(|most| now.saturating_duration_since(*since) <= most)
        });
        self.revision.filter(|_| !is_left_alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(letter: char) -> HostKey {
        format!("N{}", letter.to_string().repeat(55)).parse().expect("a key")
    }

    fn lease(holder: &HostKey, count: u64, released: bool) -> ProviderLease {
        let key = format!("A{}", "A".repeat(55));
        let scope = LeaseScope {
            account: key.parse().expect("a key"),
            provider: "timer".parse().expect("an id"),
            link: wattle_core::link::LinkKey {
                source: "timer".to_owned(),
                target: "report".to_owned(),
                package: "wattle:schedule".to_owned(),
                name: "default".parse().expect("a name"),
            },
            name: "fire".parse().expect("a name"),
        };
        ProviderLease { scope, holder: holder.clone(), count, released, note: vec![count as u8] }
    }

    fn known(revision: u64, lease: ProviderLease, since: Instant) -> Known {
        Known { revision: Some(revision), newest: Some((lease, since)) }
    }

    #[test]
    fn what_was_not_read_is_not_taken_and_what_is_not_there_is() {
        let now = Instant::now();
        assert_eq!(Known::default().free_at(&host('A'), now), None);
        let absent = Known { revision: Some(0), newest: None };
        assert_eq!(absent.free_at(&host('A'), now), Some(0));
    }

    #[test]
    fn another_hosts_is_taken_when_it_expired_or_was_laid_down() {
        let (now, us, them) = (Instant::now(), host('A'), host('B'));
        let held = known(7, lease(&them, 1, false), now);
        assert_eq!(held.free_at(&us, now + EXPIRES_AFTER), None);
        assert_eq!(held.free_at(&us, now + EXPIRES_AFTER + Duration::from_millis(1)), Some(7));
        assert_eq!(known(7, lease(&them, 1, true), now).free_at(&us, now), Some(7));
    }

    #[test]
    fn what_this_host_itself_had_is_left_to_others_first_and_then_free() {
        let (now, us) = (Instant::now(), host('A'));
        let later = now + LEFT_TO_OTHERS + Duration::from_millis(1);
        for released in [false, true] {
            let had = known(7, lease(&us, 1, released), now);
            assert_eq!(had.free_at(&us, now + LEFT_TO_OTHERS), None);
            assert_eq!(had.free_at(&us, later), Some(7));
            assert_eq!(had.free_at(&host('B'), now), released.then_some(7));
        }
    }

    #[test]
    fn an_old_one_put_there_again_ends_nothing_and_renews_nothing() {
        let (now, us, them) = (Instant::now(), host('A'), host('B'));
        let mut known = known(7, lease(&them, 5, false), now);
        known.revision = Some(9);
        known.learn(lease(&them, 4, true), now + Duration::from_secs(5));
        assert_eq!(known.free_at(&us, now + Duration::from_secs(5)), None);
        assert_eq!(known.note(), [5]);
        assert_eq!(known.free_at(&us, now + Duration::from_secs(7)), Some(9));
    }

    #[test]
    fn what_is_gone_is_held_until_it_expires() {
        let (now, us, them) = (Instant::now(), host('A'), host('B'));
        let mut known = known(7, lease(&them, 5, false), now);
        known.revision = Some(0);
        assert_eq!(known.free_at(&us, now), None);
        assert_eq!(known.free_at(&us, now + Duration::from_secs(7)), Some(0));
    }
}
