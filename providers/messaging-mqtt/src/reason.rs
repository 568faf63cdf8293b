//! What a broker's reason codes mean for whoever reads them.

use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode as Connect, DisconnectReasonCode as Disconnected, SubscribeReasonCode,
};
use wattle_messaging::{Failure, Kind};

/// What became of a message that a broker has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It has it. Whether anybody hears it is not said.
    Kept,
    /// It has nobody to give it to.
    Unheard,
}

/// What a reason says of a message, at its end with QoS 1 and at its first answer with QoS 2 (MQTT 5, 3.4.2.1 and 3.5.2.1).
pub(crate) fn of_message(reason: u8) -> Result<Taken, Failure> {
    let (kind, text) = match reason {
        0x10 => return Ok(Taken::Unheard),
        0x00..0x80 => return Ok(Taken::Kept), // a success, whatever else it says
        0x80 => (Kind::Failed, "it does not say why it does not take it"),
        0x83 => (Kind::Failed, "it does not take it"),
        0x87 => (Kind::Denied, "this login may not publish there"),
        0x90 => (Kind::Invalid, "it does not take this topic"),
        0x91 => (Kind::Failed, "it has a message of this number already"),
        0x95 => (Kind::TooLarge, "it does not take a message of this size"),
        0x97 => (Kind::Failed, "a quota is used up"),
        0x99 => (Kind::Failed, "it does not take this body"),
        other => {
            let text = format!("it does not take it, for the reason {other:#x}");
            return Err(Failure::new(Kind::Failed, text));
        }
    };
    Err(Failure::new(kind, text))
}

/// Whether a broker that does not take this client will have another mind in a moment.
pub(crate) fn is_refusal(code: Connect) -> bool {
    matches!(
        code,
        Connect::RefusedProtocolVersion
            | Connect::UnsupportedProtocolVersion
            | Connect::BadClientId
            | Connect::ClientIdentifierNotValid
            | Connect::BadUserNamePassword
            | Connect::NotAuthorized
            | Connect::Banned
            | Connect::BadAuthenticationMethod
    )
}

/// Whether a broker that ends a connection for this will end the next one for it, too.
pub(crate) fn is_lasting(code: Disconnected) -> bool {
    matches!(
        code,
        Disconnected::NotAuthorized
            | Disconnected::TopicFilterInvalid
            | Disconnected::QoSNotSupported
            | Disconnected::UseAnotherServer
            | Disconnected::ServerMoved
            | Disconnected::SharedSubscriptionNotSupported
            | Disconnected::WildcardSubscriptionsNotSupported
    )
}

/// Why a subscription does not hold, if it does not.
pub(crate) fn of_subscription(code: SubscribeReasonCode) -> Option<&'static str> {
    match code {
        SubscribeReasonCode::Success(_) => None,
        SubscribeReasonCode::NotAuthorized => Some("this login may not listen to it"),
        SubscribeReasonCode::TopicFilterInvalid => Some("the broker does not take this filter"),
        SubscribeReasonCode::QuotaExceeded => Some("a quota of the broker is used up"),
        SubscribeReasonCode::SharedSubscriptionsNotSupported => {
            Some("the broker has no shared subscriptions: subscribe without a group (FILTER|)")
        }
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => {
            Some("the broker takes no wildcards")
        }
        _ => Some("the broker refuses it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_kind() {
        for success in [0x00, 0x01, 0x7f] {
            assert_eq!(of_message(success), Ok(Taken::Kept));
        }
        assert_eq!(of_message(0x10), Ok(Taken::Unheard));
        for (reason, kind) in [
            (0x87, Kind::Denied),
            (0x90, Kind::Invalid),
            (0x95, Kind::TooLarge),
            (0x97, Kind::Failed),
            (0xff, Kind::Failed),
        ] {
            assert_eq!(of_message(reason).expect_err("refused").kind, kind, "{reason:#x}");
        }
        assert!(is_refusal(Connect::BadUserNamePassword) && !is_refusal(Connect::ServerBusy));
    }
}
