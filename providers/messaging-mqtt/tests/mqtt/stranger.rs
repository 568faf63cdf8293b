//! Another client of the same broker, which is not ours.

use rumqttc::v5::{
    AsyncClient, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::Publish},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{scene::PATIENCE, server::Server};

/// A client that listens, and says what it likes.
pub(crate) struct Stranger {
    pub(crate) client: AsyncClient,
    heard: mpsc::Receiver<Publish>,
}

impl Stranger {
    /// Listens to a topic.
    pub(crate) async fn listening(server: &Server, topic: &str) -> Self {
        let name = format!("stranger-{topic}");
        let (client, mut events) =
            AsyncClient::new(MqttOptions::new(name, "127.0.0.1", server.port()), 10);
        client.subscribe(topic, QoS::AtLeastOnce).await.expect("it is asked");
        let (hears, heard) = mpsc::channel(1_000);
        let (listens, listening) = oneshot::channel();
        tokio::spawn(async move {
            let mut listens = Some(listens);
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Incoming::SubAck(_)) => {
                        let _ = listens.take().map(|listens| listens.send(()));
                    }
                    Event::Incoming(Incoming::Publish(message)) => drop(hears.try_send(message)),
                    _ => {}
                }
            }
        });
        timeout(PATIENCE, listening).await.expect("soon").expect("it listens");
        Self { client, heard }
    }

    pub(crate) async fn next(&mut self) -> Publish {
        timeout(PATIENCE, self.heard.recv()).await.expect("a message comes").expect("it listens")
    }
}
