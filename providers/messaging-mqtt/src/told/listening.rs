//! What one connection brings: it subscribes, takes messages and acknowledgements, and ends in order where the link does.

use std::pin::pin;

use rumqttc::v5::mqttbytes::v5::{
    Filter, Packet, Publish, RetainForwardRule, SubAck, Subscribe, SubscribeReasonCode, UnsubAck,
    UnsubAckReason, Unsubscribe,
};
use wattle_sdk::handing::{End, Phase, Queue, Ready};

use super::{Ended, QUEUE_BYTES_MAX, QUEUE_LEN_MAX, Told, incoming::Arrival, message::Message};
use crate::{
    connection::{Broken, Driver, Opened, Reader, Said, Writer},
    reason::of_subscription,
    session::Session,
};

/// Bytes that a message counts as at least: so there are never more than fit into the queue, those that wait for an attempt included.
const SHARE_MIN: usize = QUEUE_BYTES_MAX as usize / QUEUE_LEN_MAX;

/// Numbers of subscriptions.
const SUBSCRIBE: u16 = 1;
const UNSUBSCRIBE: u16 = 2;

impl Told {
    /// Listens over one connection, until it or the link ends.
    pub(super) async fn listen_over(
        &self,
        opened: Opened,
        session: &mut Session,
        queue: &Queue<Message>,
        end: &mut End,
        ready: &mut Ready,
    ) -> Ended {
        let Opened { mut reader, writer, welcome, mut driver } = opened;
        self.incoming.connected(writer.clone(), welcome.resumed);
        self.subscribe(&writer, session).await;
        let mut missing = pin!(self.incoming.missing());
        loop {
            let next = tokio::select! {
                biased;
                () = end.draining() => {
                    self.finish(&mut reader, &mut driver, &writer, end).await;
                    return Ended::Link;
                }
                () = &mut missing => {
                    writer.farewell().await;
                    return Ended::Missing;
                }
                next = heard(&mut reader, &mut driver) => next,
            };
            let packet = match next {
                Err(broken) => return Ended::Broken(broken),
                Ok(Said::Packet(packet)) => packet,
                Ok(_) => continue, // nothing is sent over this connection
            };
            match packet {
                Packet::Publish(message) => {
                    tokio::select! {
                        () = end.draining() => {} // it stays the broker's
                        () = self.take(&message, queue) => {}
                    }
                }
                Packet::PubRel(rel) => self.incoming.released(rel.pkid),
                Packet::SubAck(ack) => match self.refusal(&ack) {
                    None => ready.say(Ok(())),
                    Some(reason) => {
                        writer.farewell().await;
                        return Ended::Refused(reason);
                    }
                },
                Packet::UnsubAck(ack) if is_left(&ack) => {
                    session.subscribes(&self.paths()).await;
                }
                _ => {} // a sign of life
            }
        }
    }

    fn paths(&self) -> Vec<String> {
        self.handing.filters.iter().map(|own| own.path()).collect()
    }

    /// Subscribes to what the link says, and no more to what it said before; that is remembered until the broker has confirmed it.
    async fn subscribe(&self, writer: &Writer, session: &mut Session) {
        let paths = self.paths();
        let before = session.subscribed.iter().filter(|path| !paths.contains(path));
        let left: Vec<String> = before.cloned().collect();
        let all = [&paths[..], &left].concat();
        if session.subscribed != all {
            session.subscribes(&all).await;
        }
        if !left.is_empty() {
            let unsubscribe = Unsubscribe { pkid: UNSUBSCRIBE, filters: left, properties: None };
            writer.say(Packet::Unsubscribe(unsubscribe));
        }
        let rule = match self.handing.retained {
            true => RetainForwardRule::OnNewSubscribe,
            false => RetainForwardRule::Never,
        };
        let filter = |path: String| Filter {
            retain_forward_rule: rule.clone(),
            ..Filter::new(path, self.handing.qos)
        };
        let filters = paths.into_iter().map(filter).collect();
        writer.say(Packet::Subscribe(Subscribe { pkid: SUBSCRIBE, filters, properties: None }));
    }

    /// Why the link does not get what it asked for, if it does not.
    fn refusal(&self, ack: &SubAck) -> Option<String> {
        let each = self.handing.filters.iter().zip(&ack.return_codes);
        each.into_iter().find_map(|(own, code)| match code {
            SubscribeReasonCode::Success(qos) if *qos < self.handing.qos => {
                let (filter, qos) = (&own.filter, *qos as u8);
                Some(format!("{filter}: the broker grants QoS {qos} only, set qos={qos}"))
            }
            code => of_subscription(*code).map(|reason| format!("{}: {reason}", own.filter)),
        })
    }

    /// Has a message wait for a place at the actor, unless it is there already.
    async fn take(&self, publish: &Publish, queue: &Queue<Message>) {
        let Some(mut message) = Message::new(publish) else {
            return self.say("a topic is no text", "its messages are not handled");
        };
        if publish.pkid > 0 {
            let arrival = Arrival {
                number: publish.pkid,
                qos: publish.qos,
                again: publish.dup,
                print: message.print(),
            };
            let Some(ticket) = self.incoming.arrives(arrival) else { return };
            message.ticket = Some(ticket);
        }
        let len = message.len().max(SHARE_MIN);
        queue.put(message, len).await;
    }

    /// Ends what is under way, and then the connection; the broker keeps the session, and in it what was not begun.
    async fn finish(
        &self,
        reader: &mut Reader,
        driver: &mut Driver,
        writer: &Writer,
        end: &mut End,
    ) {
        if end.phase() == Phase::Draining {
            let listening = async {
                while let Ok(said) = heard(reader, driver).await {
                    if let Said::Packet(Packet::PubRel(rel)) = said {
                        self.incoming.released(rel.pkid);
                    }
                }
                std::future::pending().await
            };
            tokio::select! {
                () = self.work.idle() => {}
                () = end.deleted() => {}
                () = listening => {}
            }
        }
        writer.farewell().await;
    }
}

/// Whether a broker has nothing any more of what it was to forget.
fn is_left(ack: &UnsubAck) -> bool {
    let mut reasons = ack.reasons.iter();
    reasons.all(|reason| {
        matches!(reason, UnsubAckReason::Success | UnsubAckReason::NoSubscriptionExisted)
    })
}

async fn heard(reader: &mut Reader, driver: &mut Driver) -> Result<Said, Broken> {
    tokio::select! {
        said = reader.next() => said,
        _ = &mut driver.0 => Err(Broken::Lost("it cannot be written to".into())),
    }
}
