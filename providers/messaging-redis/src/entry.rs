//! How a message looks in Redis: the payload of a channel, the fields of a stream's entry.
//!
//! A channel's payload is the body itself, which any other user of that Redis reads. Only where an answer is awaited does the
//! place for it stand in front, as pub/sub has no room for it elsewhere.

use wattle_messaging::BrokerMessage;

/// What a payload begins with that says where an answer is awaited. Texts do not begin with a zero byte.
const REPLY_TO: &[u8] = b"\0reply-to\0";

/// One field of a stream's entry. Names are any bytes, as values are.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// A stream's entry: the body.
pub(crate) const BODY: &str = "body";
/// A stream's entry: where an answer is awaited.
pub(crate) const REPLY_TO_FIELD: &str = "reply-to";

/// A channel's payload.
pub(crate) fn payload(body: &[u8], reply_to: Option<&str>) -> Vec<u8> {
    match reply_to {
        // Without an empty place in front, this body would be read as one with a place for an answer.
        None if body.starts_with(REPLY_TO) => [REPLY_TO, b"\0", body].concat(),
        None => body.to_vec(),
        Some(reply_to) => [REPLY_TO, reply_to.as_bytes(), b"\0", body].concat(),
    }
}

/// The message that a channel's payload is.
pub(crate) fn of_payload<'a>(channel: &'a str, payload: &'a [u8]) -> BrokerMessage<'a> {
    let with_reply = payload.strip_prefix(REPLY_TO).and_then(|rest| {
        let end = rest.iter().position(|&byte| byte == 0)?;
        Some((str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
    });
    let (reply_to, body) = match with_reply {
        Some((reply_to, body)) => {
            (Some(reply_to).filter(|reply_to| !reply_to.is_empty()).map(str::to_owned), body)
        }
        None => (None, payload),
    };
    BrokerMessage { subject: channel.into(), body: body.into(), reply_to }
}

/// The message that a stream's entry is: of fields that others have written, the first is the body. As in a payload, an empty place
/// for an answer is none.
pub(crate) fn of_fields<'a>(key: &'a str, fields: &'a [Field]) -> BrokerMessage<'a> {
    let field = |name: &str| fields.iter().find(|(field, _)| field == name.as_bytes());
    let body = field(BODY).or(fields.first()).map_or(&[][..], |(_, value)| value);
    let reply_to = field(REPLY_TO_FIELD)
        .and_then(|(_, value)| String::from_utf8(value.clone()).ok())
        .filter(|reply_to| !reply_to.is_empty());
    BrokerMessage { subject: key.into(), body: body.into(), reply_to }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that looks like one with a place for an answer.
    const FORGED: &[u8] = b"\0reply-to\0forged\0body";

    #[test]
    fn a_payload_is_the_body_and_has_the_place_for_an_answer_where_one_is_awaited() {
        assert_eq!(payload(b"body", None), b"body");
        for (body, reply_to) in
            [(&b""[..], None), (b"\0x\0", Some("inbox.1")), (b"\xff", Some("i")), (FORGED, None)]
        {
            let payload = payload(body, reply_to);
            let message = of_payload("c", &payload);
            assert_eq!((&*message.body, message.reply_to.as_deref()), (body, reply_to));
        }
        for odd in [&b"\0reply-to\0"[..], b"\0reply-to\0\xff\0x", b"\0"] {
            assert_eq!(&*of_payload("c", odd).body, odd, "not ours");
        }
    }

    #[test]
    fn an_entry_that_others_wrote_has_a_body_too() {
        let fields = [(b"\xfftemperature".to_vec(), b"21".to_vec()), (b"unit".to_vec(), vec![])];
        assert_eq!(&*of_fields("k", &fields).body, b"21");
        assert_eq!(&*of_fields("k", &[]).body, b"");
        let empty = [(REPLY_TO_FIELD.into(), vec![])];
        assert_eq!(of_fields("k", &empty).reply_to, None);
    }
}
