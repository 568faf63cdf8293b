//! What a broker's reason codes mean for whoever reads them.

use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode as Connect, DisconnectReasonCode as Disconnected, PubAckReason as Ack,
    PubRecReason as Rec, SubscribeReasonCode,
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

/// The end of a message of QoS 1.
pub(crate) fn of_ack(reason: Ack) -> Result<Taken, Failure> {
    let (kind, text) = match reason {
        Ack::Success => return Ok(Taken::Kept),
        Ack::NoMatchingSubscribers => return Ok(Taken::Unheard),
        Ack::NotAuthorized => (Kind::Denied, "this login may not publish there"),
        Ack::TopicNameInvalid => (Kind::Invalid, "it does not take this topic"),
        Ack::QuotaExceeded => (Kind::Failed, "a quota is used up"),
        Ack::PayloadFormatInvalid => (Kind::Failed, "it does not take this body"),
        Ack::PacketIdentifierInUse => (Kind::Failed, "it has a message of this number already"),
        Ack::ImplementationSpecificError => (Kind::Failed, "it does not take it"),
        Ack::UnspecifiedError => (Kind::Failed, "it does not say why it does not take it"),
    };
    Err(Failure::new(kind, text))
}

/// The first answer to a message of QoS 2: the same reasons.
pub(crate) fn of_received(reason: Rec) -> Result<Taken, Failure> {
    of_ack(match reason {
        Rec::Success => Ack::Success,
        Rec::NoMatchingSubscribers => Ack::NoMatchingSubscribers,
        Rec::UnspecifiedError => Ack::UnspecifiedError,
        Rec::ImplementationSpecificError => Ack::ImplementationSpecificError,
        Rec::NotAuthorized => Ack::NotAuthorized,
        Rec::TopicNameInvalid => Ack::TopicNameInvalid,
        Rec::PacketIdentifierInUse => Ack::PacketIdentifierInUse,
        Rec::QuotaExceeded => Ack::QuotaExceeded,
        Rec::PayloadFormatInvalid => Ack::PayloadFormatInvalid,
    })
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
        assert_eq!(of_ack(Ack::Success), Ok(Taken::Kept));
        assert_eq!(of_received(Rec::NoMatchingSubscribers), Ok(Taken::Unheard));
        for (reason, kind) in [
            (Rec::NotAuthorized, Kind::Denied),
            (Rec::TopicNameInvalid, Kind::Invalid),
            (Rec::QuotaExceeded, Kind::Failed),
        ] {
            assert_eq!(of_received(reason).expect_err("refused").kind, kind);
        }
        assert!(is_refusal(Connect::BadUserNamePassword) && !is_refusal(Connect::ServerBusy));
    }
}
