//! What a server said that a login may not publish to: no answer to a publish, but a word beside it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Subjects that are remembered. Beyond that the oldest is forgotten.
const SUBJECTS_MAX: usize = 1_024;

/// How long such a word counts for what is published later: of many at once, some may go unheard.
const COUNTS_FOR: Duration = Duration::from_secs(2);

/// Subjects, and when the server last refused one.
#[derive(Default)]
pub(crate) struct Forbidden(Mutex<BTreeMap<String, Instant>>);

impl Forbidden {
    pub(crate) fn note(&self, subject: &str, now: Instant) {
        let mut subjects = self.0.lock();
        if subjects.len() >= SUBJECTS_MAX && !subjects.contains_key(subject) {
            let oldest = subjects.iter().min_by_key(|(_, said)| **said);
            if let Some(oldest) = oldest.map(|(subject, _)| subject.clone()) {
                subjects.remove(&oldest);
            }
        }
        subjects.insert(subject.to_owned(), now);
    }

    /// Whether the word on this subject counts for what was published at `began`. The server may let it later.
    pub(crate) fn covers(&self, subject: &str, began: Instant) -> bool {
        self.0.lock().get(subject).is_some_and(|said| *said + COUNTS_FOR >= began)
    }
}

/// The subject in `Permissions Violation for Publish to "…"`, or whatever else is forbidden.
pub(crate) fn violation<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    let (head, rest) = text.split_once('"')?;
    let violation = format!("permissions violation for {what}");
    let is_it = head.to_ascii_lowercase().contains(&violation);
    rest.split('"').next().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_published_to_is_read_from_the_server_s_words() {
        let said = "Permissions Violation for Publish to \"orders.new\"";
        assert_eq!(violation(said, "publish"), Some("orders.new"));
        let said = "Permissions Violation for Subscription to \"x\"";
        assert_eq!(violation(said, "publish"), None);
        assert_eq!(violation(said, "subscription"), Some("x"));
        assert_eq!(violation("Unknown Protocol Operation", "publish"), None);
    }

    #[test]
    fn a_refusal_counts_for_what_was_published_about_then_and_not_for_ever() {
        let (forbidden, said) = (Forbidden::default(), Instant::now());
        forbidden.note("orders", said);
        let earlier = said.checked_sub(Duration::from_secs(60)).expect("a minute ago");
        for began in [earlier, said, said + COUNTS_FOR] {
            assert!(forbidden.covers("orders", began));
        }
        assert!(!forbidden.covers("orders", said + COUNTS_FOR + Duration::from_millis(1)));
        assert!(!forbidden.covers("other", said));
    }

    #[test]
    fn of_too_many_the_oldest_is_forgotten() {
        let (forbidden, first) = (Forbidden::default(), Instant::now());
        for number in 0..=SUBJECTS_MAX {
            let said = first + Duration::from_millis(number as u64);
            forbidden.note(&format!("subject.{number}"), said);
        }
        assert!(!forbidden.covers("subject.0", first));
        assert!(forbidden.covers("subject.1", first));
        assert_eq!(forbidden.0.lock().len(), SUBJECTS_MAX);
    }
}
