//! What a link asks for, beside its login.

use std::time::Duration;

use wattle_messaging::{
    Attempts, Pace, SettingError, Settings,
    attempts::{BACKOFF, MAX_DELIVER, MAX_IN_FLIGHT, TIMEOUT},
    limit::SUBJECT_LEN_MAX,
};
use wattle_sdk::LinkGrant;

use crate::login::{INBOX_PREFIX, JWT, PING_INTERVAL, SEED, TLS_CA, TLS_CA_FILE, URIS};

const SUBSCRIPTIONS: &[&str] = &["subscriptions"];
const STREAM: &[&str] = &["stream"];
const CREATE_STREAM: &[&str] = &["create_stream"];
const CONSUMER: &[&str] = &["consumer"];
const ACK_WAIT: &[&str] = &["ack_wait_ms"];
const DEAD_LETTER: &[&str] = &["dead_letter_subject"];

const LOGIN: [&[&str]; 7] = [URIS, JWT, SEED, TLS_CA, TLS_CA_FILE, INBOX_PREFIX, PING_INTERVAL];
const SENDING: [&[&str]; 1] = [STREAM];
const HANDING_OVER: [&[&str]; 10] = [
    SUBSCRIPTIONS,
    STREAM,
    CREATE_STREAM,
    CONSUMER,
    ACK_WAIT,
    MAX_DELIVER,
    BACKOFF,
    DEAD_LETTER,
    MAX_IN_FLIGHT,
    TIMEOUT,
];

/// How long JetStream waits for a word about a message before it hands it to somebody else: NATS's own default.
const ACK_WAIT_DEFAULT_MS: u64 = 30_000;
const ACK_WAIT_MAX_MS: u64 = 3_600_000;
/// Subjects of one link.
const LIST_LEN_MAX: usize = 100;
/// The most characters of a durable consumer's name that the server takes.
const CONSUMER_LEN_MAX: usize = 255;

/// What a link that hands messages to an actor asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handing {
    pub(crate) source: Source,
    pub(crate) pace: Pace,
}

/// Where a link's messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Plain(Vec<Subscription>),
    Kept(Stream),
}

/// Messages as they come; nobody keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) subject: String,
    /// Each message goes to one member of the group. Without a group, every host that runs the provider hands it over.
    pub(crate) group: Option<String>,
}

/// Messages that JetStream keeps until they are handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) create: bool,
    /// All of the stream's, where there are none.
    pub(crate) subjects: Vec<String>,
    pub(crate) consumer: String,
    pub(crate) ack_wait: Duration,
    pub(crate) attempts: Attempts,
    pub(crate) dead_letter: Option<String>,
}

/// The stream that has to keep what a link's actor publishes, if one has to.
pub(crate) fn sending(settings: &Settings<'_>) -> Result<Option<String>, SettingError> {
    settings.check_names(&[&LOGIN[..], &SENDING].concat())?;
    stream_name(settings)
}

/// What a link's source side says. `own` is a name that is this link's on every host: hosts that run the same link share its work.
pub(crate) fn handing(settings: &Settings<'_>, own: &str) -> Result<Handing, SettingError> {
    settings.check_names(&[&LOGIN[..], &HANDING_OVER].concat())?;
    let source = match stream_name(settings)? {
        Some(name) => Source::Kept(stream(settings, name, own)?),
        None => Source::Plain(subscriptions(settings, own)?),
    };
    Ok(Handing { source, pace: Pace::from_settings(settings)? })
}

/// A link's name on every host, for groups and durable consumers. Ids have neither `_` nor `=`, so no other link has it.
pub(crate) fn own_name(lattice: &str, provider: &str, link: &LinkGrant) -> String {
    let (actor, name) = (link.peer.id.as_str(), link.name.as_str());
    format!("wattle_{lattice}_{provider}_{actor}_{name}").replace('/', "=")
}

fn stream_name(settings: &Settings<'_>) -> Result<Option<String>, SettingError> {
    let name = settings.text(STREAM);
    name.map(|name| checked_name(STREAM[0], name)).transpose()
}

fn subscriptions(settings: &Settings<'_>, own: &str) -> Result<Vec<Subscription>, SettingError> {
    let entries = settings.list(SUBSCRIPTIONS);
    if entries.is_empty() {
        return Err(SettingError::new(
            SUBSCRIPTIONS[0],
            "name at least one: SUBJECT or SUBJECT|GROUP",
        ));
    }
    check_len(SUBSCRIPTIONS[0], entries.len())?;
    let of = |entry: &str| {
        let (subject, group) = match entry.split_once('|') {
            None => (entry, Some(own)),
            Some((subject, "")) => (subject, None),
            Some((subject, group)) => (subject, Some(group)),
        };
        let group = group.map(|group| checked_name(SUBSCRIPTIONS[0], group)).transpose()?;
        Ok(Subscription { subject: pattern(SUBSCRIPTIONS[0], subject)?, group })
    };
    entries.into_iter().map(of).collect()
}

fn stream(settings: &Settings<'_>, name: String, own: &str) -> Result<Stream, SettingError> {
    let subjects = settings.list(SUBSCRIPTIONS);
    check_len(SUBSCRIPTIONS[0], subjects.len())?;
    let subjects: Result<Vec<_>, _> =
        subjects.into_iter().map(|subject| pattern(SUBSCRIPTIONS[0], subject)).collect();
    let subjects = subjects?;
    let create = settings.flag(CREATE_STREAM[0], false)?;
    if create && subjects.is_empty() {
        return Err(SettingError::new(
            SUBSCRIPTIONS[0],
            "name the subjects of the stream to create",
        ));
    }
    let consumer = checked_name(CONSUMER[0], settings.text(CONSUMER).unwrap_or(own))?;
    let dead_letter = settings.text(DEAD_LETTER).map(str::to_owned);
    if dead_letter.as_deref().is_some_and(|subject| !is_subject(subject)) {
        return Err(SettingError::new(DEAD_LETTER[0], "a subject without wildcards"));
    }
    if let Some(subject) = &dead_letter {
        check_dead_letter(subject, &subjects)?;
    }
    Ok(Stream {
        name,
        create,
        subjects,
        consumer,
        ack_wait: settings.millis(ACK_WAIT[0], ACK_WAIT_DEFAULT_MS, 100..=ACK_WAIT_MAX_MS)?,
        attempts: Attempts::from_settings(settings, dead_letter.is_some())?,
        dead_letter,
    })
}

/// A dead message that comes back over the link that gave it up would go round for ever.
pub(crate) fn check_dead_letter(subject: &str, patterns: &[String]) -> Result<(), SettingError> {
    match patterns.iter().find(|pattern| matches(pattern, subject)) {
        None => Ok(()),
        Some(pattern) => {
            let text = format!("a subject that is not among the link's own: {pattern:?} has it");
            Err(SettingError::new(DEAD_LETTER[0], text))
        }
    }
}

/// Whether a subject is one of a pattern's.
fn matches(pattern: &str, subject: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('.'), subject.split('.'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(pattern), Some(part)) if pattern == part => {}
            _ => return false,
        }
    }
}

fn check_len(setting: &str, len: usize) -> Result<(), SettingError> {
    if len > LIST_LEN_MAX {
        return Err(SettingError::new(setting, format!("at most {LIST_LEN_MAX}, not {len}")));
    }
    Ok(())
}

/// A name that NATS takes for a stream, a consumer or a group, and that is one part of a subject.
fn checked_name(setting: &str, name: &str) -> Result<String, SettingError> {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>' | '/' | '\\');
    if name.is_empty() || name.len() > CONSUMER_LEN_MAX || !name.chars().all(good) {
        let text =
            format!("a name has 1 to {CONSUMER_LEN_MAX} characters without . * > / \\ or space");
        return Err(SettingError::new(setting, text));
    }
    Ok(name.to_owned())
}

/// A subject to listen to: `*` is one part, `>` the rest.
fn pattern(setting: &str, subject: &str) -> Result<String, SettingError> {
    let literal = subject.strip_suffix(".>").unwrap_or(subject);
    let parts = literal.split('.').map(|part| if part == "*" { "x" } else { part });
    if subject == ">" || is_subject(&parts.collect::<Vec<_>>().join(".")) {
        return Ok(subject.to_owned());
    }
    Err(SettingError::new(setting, format!("{subject:?} is no subject: parts with dots between")))
}

/// Whether this is a subject that one message can have: parts with dots between, no wildcards, nothing that breaks a line.
pub(crate) fn is_subject(subject: &str) -> bool {
    let good = |part: &str| {
        !matches!(part, "" | "*" | ">")
            && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    subject.len() <= SUBJECT_LEN_MAX && subject.split('.').all(good)
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
    fn a_subscription_has_the_link_s_group_another_or_none() {
        let read = read(&[("subscriptions", "a.*, b.>|workers ,c|")]).expect("good settings");
        let Source::Plain(found) = read.source else { panic!("no stream was named") };
        let found: Vec<_> =
            found.iter().map(|s| (s.subject.as_str(), s.group.as_deref())).collect();
        assert_eq!(found, [("a.*", Some("own")), ("b.>", Some("workers")), ("c", None)]);
    }

    #[test]
    fn a_stream_has_the_link_s_own_consumer_and_only_where_dead_ones_go_a_last_attempt() {
        let stream = |pairs: &[(&str, &str)]| match read(pairs).expect("good settings").source {
            Source::Kept(stream) => stream,
            Source::Plain(_) => panic!("a stream was named"),
        };
        let plain = stream(&[("stream", "S")]);
        assert_eq!((plain.attempts.max, plain.consumer.as_str()), (None, "own"));
        assert!(stream(&[("stream", "S"), ("dead-letter-subject", "d")]).attempts.max.is_some());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (settings, name) in [
            (&[][..], "subscriptions"),
            (&[("subscriptions", "a..b")], "subscriptions"),
            (&[("subscriptions", "a.>.b")], "subscriptions"),
            (&[("subscriptions", "a|two words")], "subscriptions"),
            (&[("subscription", "a")], "subscription"),
            (&[("stream", "a.b")], "stream"),
            (&[("stream", "S"), ("create_stream", "true")], "subscriptions"),
            (&[("stream", "S"), ("backoff_ms", "soon")], "backoff_ms"),
            (&[("stream", "S"), ("ack_wait_ms", "1")], "ack_wait_ms"),
            (&[("stream", "S"), ("dead_letter_subject", "a.*")], "dead_letter_subject"),
            (
                &[("stream", "S"), ("subscriptions", "a.>"), ("dead_letter_subject", "a.dead")],
                "dead_letter_subject",
            ),
            (&[("subscriptions", "a"), ("max_in_flight", "0")], "max_in_flight"),
        ] {
            assert_eq!(read(settings).expect_err(name).name, name);
        }
    }

    #[test]
    fn a_star_is_one_part_and_an_arrow_the_rest() {
        for (pattern, subject) in [(">", "a"), ("a.>", "a.b.c"), ("a.*.c", "a.b.c"), ("a", "a")] {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [("a.>", "a"), ("a.*", "a.b.c"), ("a", "a.b"), ("a.b", "a")] {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
    }

    #[test]
    fn a_message_s_subject_has_no_wildcards_and_breaks_no_line() {
        assert!(is_subject("a.b-c.$d.é"));
        for bad in ["", ".", "a.", ".a", "a..b", "a.*", ">", "a b", "a\r\nPUB x", "a\u{0}"] {
            assert!(!is_subject(bad), "{bad:?}");
        }
    }
}
