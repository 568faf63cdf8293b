//! How often an actor is given a message that it does not handle, and with which pauses.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use wattle_core::call::Call;

use crate::{BrokerMessage, Delivery, SettingError, Settings, deliver};

/// The setting: attempts before a message is given up; 0 for ever.
pub const MAX_DELIVER: &[&str] = &["max_deliver"];
/// The setting: pauses between attempts in milliseconds, separated by commas; the last goes on.
pub const BACKOFF: &[&str] = &["backoff_ms"];
/// The setting: messages of one link that its actor has at the same time.
pub const MAX_IN_FLIGHT: &[&str] = &["max_in_flight"];
/// The setting: how long an actor may take with one message, in milliseconds.
pub const TIMEOUT: &[&str] = &["timeout_ms"];

/// Attempts before a message is dead, where there is a place for dead ones.
const MAX_DELIVER_DEFAULT: u64 = 10;
const MAX_DELIVER_MAX: u64 = 1_000_000;
const BACKOFF_DEFAULT_MS: [u64; 4] = [500, 2_000, 10_000, 30_000];
const BACKOFF_MAX_MS: u64 = 86_400_000;
const BACKOFF_LEN_MAX: usize = 100;
const MAX_IN_FLIGHT_DEFAULT: usize = 32;
/// The host has instances for so many calls to one actor, at most.
const MAX_IN_FLIGHT_MAX: usize = 1_024;
const TIMEOUT_DEFAULT_MS: u64 = 30_000;
const TIMEOUT_MAX_MS: u64 = 3_600_000;
/// The host holds each call to its actor's own deadline, which is no longer than this.
const DEADLINE_MAX: Duration = Duration::from_secs(600);

/// Pauses between attempts to give a message to an actor that is starting or has too much to do; they double.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How fast an actor is given its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Messages that it has at the same time.
    pub max_in_flight: usize,
    /// How long it may take with one.
    pub timeout: Duration,
}

impl Pace {
    /// From a link's settings.
    ///
    /// # Errors
    /// The setting that is out of its range.
    pub fn from_settings(settings: &Settings<'_>) -> Result<Self, SettingError> {
        let max_in_flight =
            settings.number(MAX_IN_FLIGHT[0], MAX_IN_FLIGHT_DEFAULT, 1..=MAX_IN_FLIGHT_MAX)?;
        let timeout = settings.millis(TIMEOUT[0], TIMEOUT_DEFAULT_MS, 1..=TIMEOUT_MAX_MS)?;
        Ok(Self { max_in_flight, timeout: timeout.min(DEADLINE_MAX) })
    }
}

/// What a message that is kept until it is handled may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts before it is given up. `None`: for ever.
    pub max: Option<u64>,
    /// Pauses between attempts; the last goes on.
    pub backoff: Vec<Duration>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done with.
    Handled,
    /// Once more, after a pause.
    Again(Duration),
    /// It is given up: to the place for dead ones, where there is one.
    Dead,
}

impl Attempts {
    /// From a link's settings. Where there is a place for dead messages there is a last attempt, unless the settings say otherwise.
    ///
    /// # Errors
    /// The setting that is out of its range.
    pub fn from_settings(
        settings: &Settings<'_>,
        has_dead_letters: bool,
    ) -> Result<Self, SettingError> {
        let default = if has_dead_letters { MAX_DELIVER_DEFAULT } else { 0 };
        let max = settings.number(MAX_DELIVER[0], default, 0..=MAX_DELIVER_MAX)?;
        let max = Some(max).filter(|&max| max > 0);
        let steps = settings.list(BACKOFF);
        if steps.is_empty() {
            let backoff = BACKOFF_DEFAULT_MS.map(Duration::from_millis).to_vec();
            return Ok(Self { max, backoff });
        }
        let step = |text: &str| text.parse().ok().filter(|&step: &u64| step <= BACKOFF_MAX_MS);
        let read: Option<Vec<u64>> = steps.into_iter().map(step).collect();
        let read = read.filter(|steps| steps.len() <= BACKOFF_LEN_MAX).ok_or_else(|| {
            let text = format!(
                "up to {BACKOFF_LEN_MAX} times in milliseconds, with commas, a day at most"
            );
            SettingError::new(BACKOFF[0], text)
        })?;
        Ok(Self { max, backoff: read.into_iter().map(Duration::from_millis).collect() })
    }

    /// How long a message waits after this attempt, the first being 1.
    pub fn pause(&self, attempt: u64) -> Duration {
        let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.backoff.get(step).or(self.backoff.last()).copied().unwrap_or_default()
    }

    /// What follows from an attempt, the first being 1. A message that the actor never got is never dead: the actor may be
    /// starting, or a link of it may be missing, and the message is not to blame.
    pub fn verdict(&self, delivery: &Delivery, attempt: u64) -> Verdict {
        let last = self.max.is_some_and(|max| attempt >= max);
        match delivery {
            Delivery::Handled => Verdict::Handled,
            Delivery::Unfit(_) => Verdict::Dead,
            Delivery::Refused(_) | Delivery::Unknown(_) if last => Verdict::Dead,
            Delivery::Refused(_) | Delivery::Unknown(_) | Delivery::NotRun(_) => {
                Verdict::Again(self.pause(attempt))
            }
        }
    }
}

/// Calls a handler with a message that nobody keeps: again, until `last`, only where it provably did not get it and may soon.
/// `sleep` waits, by the clock of whoever calls.
///
/// # Cancel safety
/// As [`deliver`].
pub async fn deliver_until<F: Future<Output = ()>>(
    call: &impl Call,
    message: &BrokerMessage<'_>,
    last: Instant,
    sleep: impl Fn(Duration) -> F,
) -> Delivery {
    let mut pause = RETRY_PAUSE;
    loop {
        let delivery = deliver(call, message.clone()).await;
        let may_wait =
            matches!(&delivery, Delivery::NotRun(error) if error.kind.is_for_another_host());
        if !may_wait || Instant::now() + pause >= last {
            return delivery;
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wattle_core::{CallError, ErrorKind};

    use super::*;

    fn read(pairs: &[(&str, &str)], dead: bool) -> Result<Attempts, SettingError> {
        let link = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Attempts::from_settings(&Settings::new(&link, &BTreeMap::new()), dead)
    }

    #[test]
    fn messages_are_tried_for_ever_unless_there_is_a_place_for_dead_ones() {
        assert_eq!(read(&[], false).expect("defaults").max, None);
        assert_eq!(read(&[], true).expect("defaults").max, Some(MAX_DELIVER_DEFAULT));
        assert_eq!(read(&[("max-deliver", "0")], true).expect("for ever").max, None);
        let steps = read(&[("backoff_ms", "1, 2")], false).expect("steps").backoff;
        assert_eq!(steps, [1, 2].map(Duration::from_millis));
        assert_eq!(read(&[("backoff_ms", "soon")], false).expect_err("no time").name, "backoff_ms");
    }

    #[test]
    fn an_actor_is_promised_no_more_time_than_its_host_gives_it() {
        let of = |timeout: &str| {
            let link = BTreeMap::from([("timeout_ms".to_owned(), timeout.to_owned())]);
            Pace::from_settings(&Settings::new(&link, &BTreeMap::new()))
        };
        assert_eq!(of("600000").expect("ten minutes").timeout, Duration::from_secs(600));
        // As links said that were put before.
        assert_eq!(of("3600000").expect("an hour").timeout, Duration::from_secs(600));
        assert_eq!(of("3600001").expect_err("more").name, "timeout_ms");
    }

    #[test]
    fn attempts_are_spaced_by_the_backoff_and_end_at_their_limit() {
        let backoff = [1, 2].map(Duration::from_millis);
        let refused = Delivery::Refused("no".into());
        let of =
            |attempt, max| Attempts { max, backoff: backoff.into() }.verdict(&refused, attempt);
        assert_eq!(of(1, Some(4)), Verdict::Again(backoff[0]));
        assert_eq!(of(2, Some(4)), Verdict::Again(backoff[1]));
        assert_eq!(of(3, Some(4)), Verdict::Again(backoff[1]));
        assert_eq!(of(4, Some(4)), Verdict::Dead);
        assert_eq!(of(1_000, None), Verdict::Again(backoff[1]));
    }

    #[test]
    fn what_never_reached_the_actor_is_not_dead_and_what_never_can_is_at_once() {
        let error = |kind| CallError::new(kind, "why");
        let attempts = Attempts { max: Some(3), backoff: vec![] };
        let not_run = Delivery::NotRun(error(ErrorKind::NotFound));
        assert_eq!(attempts.verdict(&not_run, 99), Verdict::Again(Duration::ZERO));
        for kind in [ErrorKind::TooLarge, ErrorKind::Malformed] {
            assert_eq!(attempts.verdict(&Delivery::Unfit(error(kind)), 1), Verdict::Dead);
        }
    }
}
