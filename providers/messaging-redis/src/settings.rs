//! What a link asks for, beside its login.

use std::time::Duration;

use wattle_messaging::{
    Attempts, Pace, SettingError, Settings,
    attempts::{BACKOFF, MAX_DELIVER, MAX_IN_FLIGHT, TIMEOUT},
};
use wattle_sdk::LinkGrant;

use crate::{address::URL, broker::Into};

const SUBSCRIPTIONS: &[&str] = &["subscriptions"];
const STREAMS: &[&str] = &["streams"];
const MAX_LEN: &[&str] = &["max_len"];
const GROUP: &[&str] = &["consumer_group"];
const ACK_WAIT: &[&str] = &["ack_wait_ms"];
const DEAD_LETTER: &[&str] = &["dead_letter_stream"];

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

/// How long nothing may be heard of a message before another host takes it.
const ACK_WAIT_DEFAULT_MS: u64 = 30_000;
const ACK_WAIT_MAX_MS: u64 = 3_600_000;
/// Channels or streams of one link.
const LIST_LEN_MAX: usize = 100;
/// The most bytes of a channel's, a stream's or a group's name: the contract's limit for subjects.
const NAME_LEN_MAX: usize = wattle_messaging::limit::SUBJECT_LEN_MAX;

/// What a link that hands messages to an actor asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handing {
    pub(crate) source: Source,
    pub(crate) pace: Pace,
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
    pub(crate) attempts: Attempts,
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
    Ok(Handing { source, pace: Pace::from_settings(settings)? })
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
    Ok(Streams {
        keys,
        group: name(GROUP)?.unwrap_or_else(|| own.to_owned()),
        ack_wait: settings.millis(ACK_WAIT[0], ACK_WAIT_DEFAULT_MS, 100..=ACK_WAIT_MAX_MS)?,
        attempts: Attempts::from_settings(settings, dead_letter.is_some())?,
        dead_letter,
        max_len: settings.number(MAX_LEN[0], 0, 0..=u64::MAX)?,
    })
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
    fn streams_have_the_link_s_own_group_and_only_where_dead_ones_go_a_last_attempt() {
        let streams = |pairs: &[(&str, &str)]| match read(pairs).expect("good settings").source {
            Source::Streams(streams) => streams,
            Source::Channels(_) => panic!("streams were asked for"),
        };
        let plain = streams(&[("subscriptions", "a, b"), ("streams", "true")]);
        assert_eq!((plain.attempts.max, plain.group.as_str()), (None, "own"));
        assert_eq!(plain.keys, ["a", "b"]);
        let dead = [("subscriptions", "a"), ("streams", "true"), ("dead_letter_stream", "d")];
        assert!(streams(&dead).attempts.max.is_some());
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
