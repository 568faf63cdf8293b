//! What a link asks for, beside its login.

use std::time::Duration;

use wattle_messaging::{SettingError, Settings};
use wattle_sdk::LinkGrant;

use crate::{address::URL, broker::Into};

const SUBSCRIPTIONS: &[&str] = &["subscriptions"];
const STREAMS: &[&str] = &["streams"];
const MAX_LEN: &[&str] = &["max_len"];
const GROUP: &[&str] = &["consumer_group"];
const ACK_WAIT: &[&str] = &["ack_wait_ms"];
const MAX_DELIVER: &[&str] = &["max_deliver"];
const BACKOFF: &[&str] = &["backoff_ms"];
const DEAD_LETTER: &[&str] = &["dead_letter_stream"];
const MAX_IN_FLIGHT: &[&str] = &["max_in_flight"];
const TIMEOUT: &[&str] = &["timeout_ms"];

const SENDING: [&[&str]; 3] = [URL, STREAMS, MAX_LEN];
const HANDING_OVER: [&[&str]; 11] = [
    URL,
    SUBSCRIPTIONS,
    STREAMS,
    MAX_LEN,
    GROUP,
    ACK_WAIT,
    MAX_DELIVER,
    BACKOFF,
    DEAD_LETTER,
    MAX_IN_FLIGHT,
    TIMEOUT,
];

/// Messages of one link that its actor has at the same time.
const MAX_IN_FLIGHT_DEFAULT: usize = 32;
/// The host has instances for so many calls to one actor, at most.
const MAX_IN_FLIGHT_MAX: usize = 1_024;
/// How long an actor may take with one message.
const TIMEOUT_DEFAULT_MS: u64 = 30_000;
const TIMEOUT_MAX_MS: u64 = 3_600_000;
/// How long nothing may be heard of a message before another host takes it.
const ACK_WAIT_DEFAULT_MS: u64 = 30_000;
const ACK_WAIT_MAX_MS: u64 = 3_600_000;
/// Attempts before a message is dead, where there is a stream for dead ones.
const MAX_DELIVER_DEFAULT: u64 = 10;
const MAX_DELIVER_MAX: u64 = 1_000_000;
/// Pauses between attempts; the last goes on.
const BACKOFF_DEFAULT_MS: [u64; 4] = [500, 2_000, 10_000, 30_000];
const BACKOFF_MAX_MS: u64 = 86_400_000;
/// Steps of a backoff, and subjects of one link.
const LIST_LEN_MAX: usize = 100;
/// The most bytes of a channel's, a stream's or a group's name: the contract's limit for subjects.
const NAME_LEN_MAX: usize = wattle_messaging::limit::SUBJECT_LEN_MAX;

/// What a link that hands messages to an actor asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handing {
    pub(crate) source: Source,
    pub(crate) max_in_flight: usize,
    pub(crate) timeout: Duration,
}

/// Where a link's messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Channels, and patterns of channels.
    Channels(Vec<String>),
    Streams(Streams),
}

/// Messages that Redis keeps until they are handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) keys: Vec<String>,
    pub(crate) group: String,
    pub(crate) ack_wait: Duration,
    /// `None`: for ever.
    pub(crate) max_deliver: Option<u64>,
    pub(crate) backoff: Vec<Duration>,
    pub(crate) dead_letter: Option<String>,
    /// Of the stream for dead messages, about; 0: no limit.
    pub(crate) max_len: u64,
}

/// What a link's actor sends into.
pub(crate) fn sending(settings: &Settings<'_>) -> Result<Into, SettingError> {
    settings.check_names(&SENDING)?;
    let max_len = settings.number(MAX_LEN[0], 0, 0..=u64::MAX)?;
    let streams = settings.flag(STREAMS[0], false)?;
    Ok(if streams { Into::Streams { max_len } } else { Into::Channels })
}

/// What a link's source side says. `own` is a name that is this link's on every host: hosts that run the same link share its work.
pub(crate) fn handing(settings: &Settings<'_>, own: &str) -> Result<Handing, SettingError> {
    settings.check_names(&HANDING_OVER)?;
    let names = names(settings)?;
    let source = if settings.flag(STREAMS[0], false)? {
        Source::Streams(streams(settings, names, own)?)
    } else {
        Source::Channels(names)
    };
    let max_in_flight =
        settings.number(MAX_IN_FLIGHT[0], MAX_IN_FLIGHT_DEFAULT, 1..=MAX_IN_FLIGHT_MAX)?;
    let timeout = settings.millis(TIMEOUT[0], TIMEOUT_DEFAULT_MS, 1..=TIMEOUT_MAX_MS)?;
    Ok(Handing { source, max_in_flight, timeout })
}

/// A link's name on every host.
pub(crate) fn own_name(lattice: &str, provider: &str, link: &LinkGrant) -> String {
    let (actor, name) = (link.peer.id.as_str(), link.name.as_str());
    format!("wattle:{lattice}:{provider}:{actor}:{name}")
}

fn names(settings: &Settings<'_>) -> Result<Vec<String>, SettingError> {
    let names = settings.list(SUBSCRIPTIONS);
    let right = !names.is_empty() && names.len() <= LIST_LEN_MAX;
    if !right || names.iter().any(|name| name.len() > NAME_LEN_MAX) {
        let text = format!("name 1 to {LIST_LEN_MAX}, each of at most {NAME_LEN_MAX} bytes");
        return Err(SettingError::new(SUBSCRIPTIONS[0], text));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn streams(settings: &Settings<'_>, keys: Vec<String>, own: &str) -> Result<Streams, SettingError> {
    let name = |names: &[&str]| match settings.text(names) {
        Some(name) if name.len() > NAME_LEN_MAX => {
            Err(SettingError::new(names[0], format!("at most {NAME_LEN_MAX} bytes")))
        }
        name => Ok(name.map(str::to_owned)),
    };
    let dead_letter = name(DEAD_LETTER)?;
    if dead_letter.as_ref().is_some_and(|dead| keys.contains(dead)) {
        return Err(SettingError::new(DEAD_LETTER[0], "another stream than those of the link"));
    }
    let default = if dead_letter.is_some() { MAX_DELIVER_DEFAULT } else { 0 };
    let max_deliver = settings.number(MAX_DELIVER[0], default, 0..=MAX_DELIVER_MAX)?;
    Ok(Streams {
        keys,
        group: name(GROUP)?.unwrap_or_else(|| own.to_owned()),
        ack_wait: settings.millis(ACK_WAIT[0], ACK_WAIT_DEFAULT_MS, 100..=ACK_WAIT_MAX_MS)?,
        max_deliver: Some(max_deliver).filter(|&max| max > 0),
        backoff: backoff(settings)?,
        dead_letter,
        max_len: settings.number(MAX_LEN[0], 0, 0..=u64::MAX)?,
    })
}

fn backoff(settings: &Settings<'_>) -> Result<Vec<Duration>, SettingError> {
    let steps = settings.list(BACKOFF);
    if steps.is_empty() {
        return Ok(BACKOFF_DEFAULT_MS.map(Duration::from_millis).to_vec());
    }
    let step = |text: &str| text.parse().ok().filter(|&step: &u64| step <= BACKOFF_MAX_MS);
    let read: Option<Vec<u64>> = steps.into_iter().map(step).collect();
    let read = read.filter(|steps| steps.len() <= LIST_LEN_MAX).ok_or_else(|| {
        let text =
            format!("up to {LIST_LEN_MAX} times in milliseconds, with commas, a day at most");
        SettingError::new(BACKOFF[0], text)
    })?;
    Ok(read.into_iter().map(Duration::from_millis).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Handing, SettingError> {
        let link = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        handing(&Settings::new(&link, &BTreeMap::new()), "own")
    }

    #[test]
    fn a_stream_s_messages_are_tried_for_ever_unless_there_is_a_place_for_dead_ones() {
        let streams = |pairs: &[(&str, &str)]| match read(pairs).expect("good settings").source {
            Source::Streams(streams) => streams,
            Source::Channels(_) => panic!("streams were asked for"),
        };
        let plain = streams(&[("subscriptions", "a, b"), ("streams", "true")]);
        assert_eq!((plain.max_deliver, plain.group.as_str()), (None, "own"));
        assert_eq!(plain.keys, ["a", "b"]);
        let dead = [("subscriptions", "a"), ("streams", "true"), ("dead_letter_stream", "d")];
        assert_eq!(streams(&dead).max_deliver, Some(MAX_DELIVER_DEFAULT));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        let streams = [("subscriptions", "a"), ("streams", "true")];
        for (settings, name) in [
            (vec![], "subscriptions"),
            (vec![("subscriptions", "a"), ("subscription", "a")], "subscription"),
            (vec![("subscriptions", "a"), ("streams", "yes")], "streams"),
            ([&streams[..], &[("dead_letter_stream", "a")]].concat(), "dead_letter_stream"),
            ([&streams[..], &[("backoff_ms", "soon")]].concat(), "backoff_ms"),
            ([&streams[..], &[("ack_wait_ms", "1")]].concat(), "ack_wait_ms"),
        ] {
            assert_eq!(read(&settings).expect_err(name).name, name);
        }
    }
}
