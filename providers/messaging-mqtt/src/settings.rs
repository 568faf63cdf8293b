//! What a link asks for, beside its login.

use rumqttc::v5::mqttbytes::QoS;
use wattle_messaging::{
    Attempts, Pace, SettingError, Settings,
    attempts::{BACKOFF, MAX_DELIVER, MAX_IN_FLIGHT, TIMEOUT},
    limit::SUBJECT_LEN_MAX,
};
use wattle_sdk::LinkGrant;

use crate::{
    login::{KEEP_ALIVE, PASSWORD, TLS_CA, TLS_CA_FILE, URL, USERNAME},
    topic,
};

const QOS: &[&str] = &["qos"];
const RETAIN: &[&str] = &["retain"];
const NEEDS_SUBSCRIBER: &[&str] = &["needs_subscriber"];
const INBOX_PREFIX: &[&str] = &["inbox_prefix"];
const SUBSCRIPTIONS: &[&str] = &["subscriptions"];
const RETAINED: &[&str] = &["retained"];
const CLEAN_START: &[&str] = &["clean_start"];
const SESSION_EXPIRY: &[&str] = &["session_expiry_sec"];
const RECEIVE_MAX: &[&str] = &["receive_max"];
const DEAD_LETTER: &[&str] = &["dead_letter_topic"];

const LOGIN: [&[&str]; 7] =
    [URL, USERNAME, PASSWORD, TLS_CA, TLS_CA_FILE, KEEP_ALIVE, INBOX_PREFIX];
const SENDING: [&[&str]; 3] = [QOS, RETAIN, NEEDS_SUBSCRIBER];
const HANDING_OVER: [&[&str]; 11] = [
    SUBSCRIPTIONS,
    QOS,
    RETAINED,
    CLEAN_START,
    SESSION_EXPIRY,
    RECEIVE_MAX,
    MAX_IN_FLIGHT,
    TIMEOUT,
    MAX_DELIVER,
    BACKOFF,
    DEAD_LETTER,
];

/// What the topics of answers begin with.
const INBOX_PREFIX_DEFAULT: &str = "_INBOX";
/// Seconds that a broker keeps what is for a provider that is away.
const SESSION_EXPIRY_DEFAULT: u32 = 86_400;
/// Messages that the broker may send before it has heard of the first; those that wait for another attempt count.
const RECEIVE_MAX_DEFAULT: u16 = 1_024;
const RECEIVE_MAX_MAX: u16 = 8_192;
/// Subscriptions of one link.
const LIST_LEN_MAX: usize = 100;
/// What a shared subscription begins with, in MQTT's own words.
const SHARED: &str = "$share/";

/// How a link's actor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// A message that nobody has subscribed to counts as not sent.
    pub(crate) needs_subscriber: bool,
}

/// What a link that hands messages to an actor asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Handing {
    pub(crate) filters: Vec<Subscription>,
    pub(crate) qos: QoS,
    /// Whether what is retained comes with a subscription that is new.
    pub(crate) retained: bool,
    pub(crate) clean_start: bool,
    pub(crate) session_expiry: u32,
    pub(crate) receive_max: u16,
    pub(crate) pace: Pace,
    pub(crate) attempts: Attempts,
    pub(crate) dead_letter: Option<String>,
}

/// What a link listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    /// Each message goes to one member of the group. Without a group, every host that runs the provider hands it over.
    pub(crate) group: Option<String>,
}

impl Subscription {
    /// What the broker is asked for.
    pub(crate) fn path(&self) -> String {
        match &self.group {
            Some(group) => format!("{SHARED}{group}/{}", self.filter),
            None => self.filter.clone(),
        }
    }
}

/// What the topics of answers begin with.
pub(crate) fn inbox(settings: &Settings<'_>) -> Result<String, SettingError> {
    let prefix = settings.text(INBOX_PREFIX).unwrap_or(INBOX_PREFIX_DEFAULT).trim_end_matches('/');
    // As long as a subject may be, with what comes behind it.
    if topic::is_topic(prefix) && prefix.len() <= SUBJECT_LEN_MAX / 2 {
        return Ok(prefix.to_owned());
    }
    Err(SettingError::new(INBOX_PREFIX[0], "a topic without wildcards"))
}

/// What a link's target side says.
pub(crate) fn sending(settings: &Settings<'_>) -> Result<Sending, SettingError> {
    settings.check_names(&[&LOGIN[..], &SENDING].concat())?;
    let needs_subscriber = settings.flag(NEEDS_SUBSCRIBER[0], false)?;
    let sending =
        Sending { qos: qos(settings)?, retain: settings.flag(RETAIN[0], false)?, needs_subscriber };
    if needs_subscriber && sending.qos == QoS::AtMostOnce {
        let text = "false with QoS 0, of which a broker says nothing";
        return Err(SettingError::new(NEEDS_SUBSCRIBER[0], text));
    }
    Ok(sending)
}

/// What a link's source side says. `own` is a name that is this link's on every host: hosts that run the same link share its work.
pub(crate) fn handing(settings: &Settings<'_>, own: &str) -> Result<Handing, SettingError> {
    settings.check_names(&[&LOGIN[..], &HANDING_OVER].concat())?;
    let filters = subscriptions(settings, own)?;
    let dead_letter = settings.text(DEAD_LETTER).map(str::to_owned);
    if let Some(dead) = &dead_letter {
        check_dead_letter(dead, &filters)?;
    }
    Ok(Handing {
        filters,
        qos: qos(settings)?,
        retained: settings.flag(RETAINED[0], true)?,
        clean_start: settings.flag(CLEAN_START[0], false)?,
        session_expiry: settings.number(SESSION_EXPIRY[0], SESSION_EXPIRY_DEFAULT, 0..=u32::MAX)?,
        receive_max: settings.number(RECEIVE_MAX[0], RECEIVE_MAX_DEFAULT, 1..=RECEIVE_MAX_MAX)?,
        pace: Pace::from_settings(settings)?,
        attempts: Attempts::from_settings(settings, dead_letter.is_some())?,
        dead_letter,
    })
}

/// A link's name on every host, as a group's: without what separates levels. Ids have no `=`, so no other link has it.
pub(crate) fn own_name(lattice: &str, provider: &str, link: &LinkGrant) -> String {
    let (actor, name) = (link.peer.id.as_str(), link.name.as_str());
    format!("wattle_{lattice}_{provider}_{actor}_{name}").replace('/', "=")
}

fn qos(settings: &Settings<'_>) -> Result<QoS, SettingError> {
    Ok(match settings.number(QOS[0], 1, 0..=2)? {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    })
}

fn subscriptions(settings: &Settings<'_>, own: &str) -> Result<Vec<Subscription>, SettingError> {
    let entries = settings.list(SUBSCRIPTIONS);
    if entries.is_empty() || entries.len() > LIST_LEN_MAX {
        let text = format!("name 1 to {LIST_LEN_MAX}: FILTER, FILTER|GROUP or FILTER|");
        return Err(SettingError::new(SUBSCRIPTIONS[0], text));
    }
    entries.into_iter().map(|entry| subscription(entry, own)).collect()
}

fn subscription(entry: &str, own: &str) -> Result<Subscription, SettingError> {
    let wrong = |what: &str| {
        SettingError::new(SUBSCRIPTIONS[0], format!("{entry:?} has no {what} that MQTT takes"))
    };
    let (filter, group) = match entry.strip_prefix(SHARED) {
        Some(shared) => {
            let (group, filter) = shared.split_once('/').ok_or_else(|| wrong("filter"))?;
            (filter, Some(group))
        }
        None => match entry.rsplit_once('|') {
            None => (entry, Some(own)),
            Some((filter, "")) => (filter, None),
            Some((filter, group)) => (filter, Some(group)),
        },
    };
    if !topic::is_filter(filter) {
        return Err(wrong("filter"));
    }
    // The broker's own topics have no groups with most brokers, and every host sees another broker's.
    let group = group.filter(|group| *group != own || !filter.starts_with('$'));
    let is_wrong = |c| matches!(c, '/' | '+' | '#') || topic::is_forbidden(c);
    if group.is_some_and(|group| group.is_empty() || group.contains(is_wrong)) {
        return Err(wrong("group"));
    }
    Ok(Subscription { filter: filter.to_owned(), group: group.map(str::to_owned) })
}

/// A dead message that comes back over the link that gave it up would go round for ever.
fn check_dead_letter(dead: &str, filters: &[Subscription]) -> Result<(), SettingError> {
    if !topic::is_topic(dead) {
        return Err(SettingError::new(DEAD_LETTER[0], "a topic without wildcards"));
    }
    match filters.iter().find(|own| topic::matches(&own.filter, dead)) {
        None => Ok(()),
        Some(own) => {
            let text = format!("a topic that is not among the link's own: {:?} has it", own.filter);
            Err(SettingError::new(DEAD_LETTER[0], text))
        }
    }
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
        let entries = "a/+, b/#|workers ,c|,$share/others/d/+,$SYS/x";
        let found = read(&[("subscriptions", entries)]).expect("good settings").filters;
        let paths: Vec<_> = found.iter().map(Subscription::path).collect();
        let wanted = ["$share/own/a/+", "$share/workers/b/#", "c", "$share/others/d/+", "$SYS/x"];
        assert_eq!(paths, wanted);
    }

    #[test]
    fn messages_are_kept_for_a_day_and_dead_ones_only_where_there_is_a_place_for_them() {
        let plain = read(&[("subscriptions", "a")]).expect("good settings");
        assert_eq!((plain.qos, plain.session_expiry), (QoS::AtLeastOnce, SESSION_EXPIRY_DEFAULT));
        assert_eq!((plain.attempts.max, plain.clean_start), (None, false));
        let dead = read(&[("subscriptions", "a"), ("dead-letter-topic", "dead/a")]);
        assert!(dead.expect("good settings").attempts.max.is_some());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (settings, name) in [
            (vec![], "subscriptions"),
            (vec![("subscriptions", "a/#/b")], "subscriptions"),
            (vec![("subscriptions", "a|b/c")], "subscriptions"),
            (vec![("subscriptions", "$share/x")], "subscriptions"),
            (vec![("subscriptions", "a"), ("subscription", "a")], "subscription"),
            (vec![("subscriptions", "a"), ("qos", "3")], "qos"),
            (vec![("subscriptions", "a"), ("receive_max", "0")], "receive_max"),
            (vec![("subscriptions", "a/+"), ("dead_letter_topic", "a/d")], "dead_letter_topic"),
            (vec![("subscriptions", "a"), ("dead_letter_topic", "#")], "dead_letter_topic"),
        ] {
            assert_eq!(read(&settings).expect_err(name).name, name);
        }
        let link = BTreeMap::from(
            [("qos", "0"), ("needs_subscriber", "true")].map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        let error = sending(&Settings::new(&link, &BTreeMap::new())).expect_err("nobody says so");
        assert_eq!(error.name, "needs_subscriber");
    }
}
