//! Topics and filters: which there are, which filter has which topic, and what stands behind a topic where an answer is awaited.
//!
//! MQTT 5 tells whoever answers a topic and some bytes to send along; the contract has only a `reply-to`. So the bytes stand behind
//! the topic, as hex digits after a `#`, which no topic has, and an actor that publishes to `reply-to` sends them along.

use std::fmt::Write as _;

use wattle_messaging::limit::SUBJECT_LEN_MAX;

/// The most bytes of correlation data that are passed on: an answer without more of them could not be told from another anyway.
const CORRELATION_LEN_MAX: usize = 256;

/// What a `reply-to` and a subject are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) topic: &'a str,
    pub(crate) correlation: Option<Vec<u8>>,
}

/// The topic of a subject, without what may stand behind it.
pub(crate) fn of_subject(subject: &str) -> &str {
    subject.rsplit_once('#').map_or(subject, |(topic, _)| topic)
}

impl<'a> Address<'a> {
    /// What a subject says; nothing where no message can be sent to it.
    pub(crate) fn parse(subject: &'a str) -> Option<Self> {
        let (topic, correlation) = match subject.rsplit_once('#') {
            None => (subject, None),
            Some((topic, digits)) => (topic, Some(bytes(digits)?)),
        };
        is_topic(topic).then_some(Self { topic, correlation })
    }
}

/// The `reply-to` of a message that asks for its answer there.
pub(crate) fn reply_to(topic: &str, correlation: Option<&[u8]>) -> String {
    let mut text = topic.to_owned();
    let told = correlation.filter(|bytes| (1..=CORRELATION_LEN_MAX).contains(&bytes.len()));
    if let Some(correlation) = told {
        text.push('#');
        for byte in correlation {
            let _ = write!(text, "{byte:02x}"); // a text takes all that is written to it
        }
    }
    text
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty()
        || !digits.len().is_multiple_of(2)
        || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whether a broker may end the connection for a text with this character (MQTT 5, 1.5.4), as Mosquitto does: one that controls, or
/// one that Unicode will never assign.
pub(crate) fn is_forbidden(c: char) -> bool {
    c.is_control() || ('\u{fdd0}'..='\u{fdef}').contains(&c) || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a message can be sent there.
pub(crate) fn is_topic(topic: &str) -> bool {
    let is_wrong = |c| matches!(c, '+' | '#') || is_forbidden(c);
    !topic.is_empty() && topic.len() <= SUBJECT_LEN_MAX && !topic.contains(is_wrong)
}

/// Whether one can listen to it: `+` is one whole level, `#` at the end the rest.
pub(crate) fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    let mut good =
        !filter.is_empty() && filter.len() <= SUBJECT_LEN_MAX && !filter.contains(is_forbidden);
    while let Some(level) = levels.next() {
        good &= match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            _ => !level.contains(['+', '#']),
        };
    }
    good
}

/// Whether a filter has a topic.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let (mut filters, mut levels) = (filter.split('/'), topic.split('/'));
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    loop {
        match (filters.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(filter), Some(level)) if filter == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_data_stands_behind_the_topic_and_comes_back() {
        for correlation in [None, Some(&[0, 0xff, 7][..])] {
            let text = reply_to("in/box", correlation);
            let address = Address::parse(&text).expect("a topic");
            assert_eq!(address.topic, "in/box");
            assert_eq!(address.correlation.as_deref(), correlation);
            assert_eq!(of_subject(&text), "in/box");
        }
        assert_eq!(reply_to("t", Some(&[0; CORRELATION_LEN_MAX + 1])), "t", "too long to be told");
        assert_eq!(reply_to("t", Some(b"")), "t", "nothing to be told");
        for bad in ["", "#", "#00", "a/#", "a#0", "a#xy", "a/+", "a#+1", "a#0g#00", "a/+#00", "a\0"]
        {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_broker_may_end_the_connection_for_is_in_no_topic() {
        for bad in ['\0', '\u{1}', '\u{7f}', '\u{9f}', '\u{fdd0}', '\u{fffe}', '\u{10ffff}'] {
            let text = format!("a/{bad}");
            assert!(!is_topic(&text) && !is_filter(&text), "{bad:?}");
        }
        for good in ['\u{20}', '\u{a0}', '\u{fdcf}', '\u{fdf0}', '\u{fffd}', '\u{10000}'] {
            let text = format!("a/{good}");
            assert!(is_topic(&text) && is_filter(&text), "{good:?}");
        }
    }

    #[test]
    fn a_plus_is_one_level_and_a_hash_the_rest() {
        for (filter, topic) in [
            ("#", "a"),
            ("a/#", "a/b/c"),
            ("a/#", "a"),
            ("a/+/c", "a/b/c"),
            ("+/b", "/b"),
            ("a", "a"),
        ] {
            assert!(is_filter(filter) && matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("a/+", "a"), ("a/+", "a/b/c"), ("a", "a/b"), ("#", "$SYS/x"), ("+/x", "$SYS/x")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
        for bad in ["", "a/#/b", "a+", "a/b#", "++", "a\0"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
