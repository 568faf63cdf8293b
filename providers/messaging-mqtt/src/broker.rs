//! One link's way to a broker for an actor that sends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Publish, PublishProperties},
};
use tokio::time::timeout;
use wattle_messaging::{Broker, BrokerMessage, Failure, Kind, Outgoing};

use crate::{
    reason::Taken,
    server::Server,
    settings::Sending,
    topic::{self, Address},
};

/// What is left of a call's deadline for the way back of an answer that came at the last moment.
const WAY_BACK: Duration = Duration::from_millis(50);

/// A broker as one link sends to it.
pub(crate) struct MqttBroker {
    server: Arc<Server>,
    sending: Sending,
}

impl MqttBroker {
    pub(crate) fn new(server: Arc<Server>, sending: Sending) -> Self {
        Self { server, sending }
    }

    fn message(&self, message: &Outgoing<'_>) -> Result<Publish, Failure> {
        let address = address(message.subject)?;
        let mut properties = PublishProperties {
            correlation_data: address.correlation.map(Into::into),
            ..PublishProperties::default()
        };
        if let Some(reply_to) = message.reply_to {
            let reply_to = self::address(reply_to)?;
            properties.response_topic = Some(reply_to.topic.to_owned());
            properties.correlation_data = reply_to.correlation.map(Into::into);
        }
        let mut publish =
            Publish::new(address.topic, self.sending.qos, message.body.clone(), Some(properties));
        publish.retain = self.sending.retain;
        Ok(publish)
    }
}

fn address(subject: &str) -> Result<Address<'_>, Failure> {
    Address::parse(subject).ok_or_else(|| {
        let text = format!(
            "{subject:?} is no topic to send to: levels of text with / between, no wildcards"
        );
        Failure::new(Kind::Invalid, text)
    })
}

fn unheard(subject: &str) -> Failure {
    Failure::new(Kind::NoResponders, format!("nobody has subscribed to {subject}"))
}

impl Broker for MqttBroker {
    /// The topic: an answer's correlation data is for whoever asked to choose.
    fn scoped<'a>(&self, subject: &'a str) -> &'a str {
        topic::of_subject(subject)
    }

    async fn publish(&self, message: Outgoing<'_>, deadline: Instant) -> Result<(), Failure> {
        let publish = self.message(&message)?;
        let wait = deadline.saturating_duration_since(Instant::now()).saturating_sub(WAY_BACK);
        match timeout(wait, self.server.publish(publish)).await {
            Ok(Ok(Taken::Unheard)) if self.sending.needs_subscriber => {
                Err(unheard(message.subject))
            }
            Ok(sent) => sent.map(drop),
            Err(_) => Err(Failure::new(Kind::Interrupted, self.server.says("no answer in time"))),
        }
    }

    async fn request(
        &self,
        message: Outgoing<'_>,
        wait: Duration,
    ) -> Result<BrokerMessage<'static>, Failure> {
        let subject = message.subject;
        let mut publish = self.message(&message)?;
        publish.retain = false; // an old question is none
        let answered = async {
            let up = self.server.up()?;
            let lost = self.server.lost(&up);
            let asked = async {
                let mut waiting = self.server.inbox.wait(&up.writer).await?;
                let properties = publish.properties.get_or_insert_default();
                properties.response_topic = Some(waiting.topic.clone());
                let correlation = waiting.correlation.to_be_bytes();
                properties.correlation_data = Some(correlation.to_vec().into());
                // Nobody is told of so far that nobody listens by a broker that takes QoS 0.
                let known = publish.qos != QoS::AtMostOnce;
                if self.server.publish(publish).await? == Taken::Unheard && known {
                    return Err(unheard(subject));
                }
                Ok(waiting.answer().await)
            };
            tokio::select! {
                answer = asked => answer,
                () = lost => {
                    Err(Failure::new(Kind::Interrupted, self.server.says("the connection broke")))
                }
            }
        };
        timeout(wait, answered).await.unwrap_or_else(|_| {
            Err(Failure::new(Kind::Timeout, format!("no answer to {subject} within {wait:?}")))
        })
    }
}
