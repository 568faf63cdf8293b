//! Messages that JetStream keeps until an actor has handled them: at least once, whatever dies meanwhile.
//!
//! Only as many are asked for as the actor has places, so the rest wait in the stream, where other hosts may fetch them.

mod message;

use std::{pin::pin, sync::Arc, time::Duration};

use async_nats::jetstream::{
    self, Context, ContextBuilder, ErrorCode,
    consumer::{AckPolicy, Consumer, pull},
    context::GetStreamErrorKind,
    stream,
};
use futures::{FutureExt as _, StreamExt as _};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};
use tracing::warn;
use wattle_sdk::Burst;
use wattle_sdk::handing::{End, Ready, Work};

use self::message::Given;
use crate::{
    connection::Connection,
    server::Server,
    settings::{Stream, check_dead_letter},
};

/// How long JetStream may take to answer about a stream or a consumer.
const API_WAIT: Duration = Duration::from_secs(2);

/// How long a request for messages stands; without messages it is made anew.
const PULL_EXPIRES: Duration = Duration::from_secs(5);

/// Messages that are asked for at once. More would wait here while another host is free.
const PULL_MAX: usize = 64;

/// Until a stream or a consumer that is not there is looked for again.
const ATTACH_PAUSE: Duration = Duration::from_millis(500);

/// Messages of one consumer that are under way or wait for their next attempt, on all hosts together. NATS's own default of
/// 1,000 would let so many messages that fail, and wait, hold up all others.
const ACK_PENDING_MAX: i64 = 10_000;

/// One link's stream.
pub(crate) struct Kept {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) stream: Stream,
    pub(crate) trouble: Burst,
}

type Messages = Consumer<pull::Config>;

/// Why no more messages come from where they came from.
enum Ended {
    /// The link takes nothing new.
    Draining,
    /// Over this connection, or from this consumer.
    Here,
}

impl Kept {
    /// Fetches messages until the link ends, over whichever connection there is.
    pub(crate) async fn run(self: Arc<Self>, mut end: End, mut ready: Ready) {
        loop {
            let attached = async {
                let connection = self.server.connected().await;
                let attached = connection.run(API_WAIT * 3, self.attach(&connection)).await;
                (connection, attached)
            };
            let (connection, attached) = tokio::select! {
                () = end.draining() => return,
                attached = attached => attached,
            };
            match attached {
                Ok(Ok(consumer)) => {
                    ready.say(Ok(()));
                    if let Ended::Draining = self.fetch(&connection, &consumer, &mut end).await {
                        return;
                    }
                }
                Ok(Err(reason)) => {
                    let reason = self.server.says(&reason);
                    self.say("cannot fetch a stream's messages", &reason);
                    ready.say(Err(reason));
                    sleep(ATTACH_PAUSE).await;
                }
                Err(_) => sleep(ATTACH_PAUSE).await, // the connection's keeper has said what is wrong
            }
        }
    }

    fn say(&self, what: &'static str, reason: &str) {
        self.trouble.note(|count| {
            let (link, stream) = (self.work.actor.link, self.stream.name.as_str());
            warn!(link, stream, count, reason, "{what}");
        });
    }

    /// The link's consumer, made or brought up to date.
    async fn attach(&self, connection: &Connection) -> Result<Messages, String> {
        let context = ContextBuilder::new().timeout(API_WAIT).build(connection.client().clone());
        self.find_stream(&context).await?;
        let (name, consumer) = (&self.stream.name, &self.stream.consumer);
        let config = pull::Config {
            durable_name: Some(consumer.clone()),
            description: Some("an actor's, kept by wattle-messaging-nats".into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.stream.ack_wait,
            max_deliver: -1, // counted here: the server would drop what had its last attempt on a host that died
            max_ack_pending: ACK_PENDING_MAX,
            filter_subjects: self.stream.subjects.clone(),
            ..Default::default()
        };
        let made = context.create_consumer_on_stream(config, name).await;
        made.map_err(|error| format!("consumer {consumer} of stream {name}: {error}"))
    }

    async fn find_stream(&self, context: &Context) -> Result<(), String> {
        let Stream { name, subjects, dead_letter, .. } = &self.stream;
        if let (Some(dead_letter), true) = (dead_letter, subjects.is_empty()) {
            // A link to the whole stream, so that its subjects are the link's.
            let all = stream(context, name).await?;
            let checked = check_dead_letter(dead_letter, &all.cached_info().config.subjects);
            return checked.map_err(|error| error.to_string());
        }
        if self.stream.create {
            let config = stream::Config {
                name: name.clone(),
                subjects: subjects.clone(),
                ..Default::default()
            };
            let made = context.get_or_create_stream(config).await;
            return made.map(drop).map_err(|error| format!("stream {name}: {error}"));
        }
        stream(context, name).await.map(drop)
    }

    /// Gives messages to the actor, as many as it has places for.
    async fn fetch(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        consumer: &Messages,
        end: &mut End,
    ) -> Ended {
        let mut draining = pin!(end.draining());
        let mut lost = pin!(connection.lost());
        loop {
            let first = tokio::select! {
                () = &mut draining => return Ended::Draining,
                _ = &mut lost => return Ended::Here,
                place = self.work.place() => place,
            };
            let mut places = self.work.free_places(PULL_MAX - 1);
            places.push(first);
            let request = consumer.batch().max_messages(places.len()).expires(PULL_EXPIRES);
            let mut batch = match request.messages().await {
                Ok(batch) => batch,
                Err(error) => {
                    self.say("cannot ask for messages", &error.to_string());
                    return Ended::Here;
                }
            };
            loop {
                let next = tokio::select! {
                    biased;
                    () = &mut draining => {
                        self.give_back(&mut batch).await;
                        return Ended::Draining;
                    }
                    next = batch.next() => next,
                    _ = &mut lost => return Ended::Here,
                };
                match next {
                    Some(Ok(message)) => self.give(message, &mut places),
                    Some(Err(error)) => {
                        self.say("a stream's messages stopped coming", &error.to_string());
                        sleep(ATTACH_PAUSE).await;
                        return Ended::Here;
                    }
                    None => break,
                }
            }
        }
    }

    fn give(self: &Arc<Self>, message: jetstream::Message, places: &mut Vec<OwnedSemaphorePermit>) {
        // One place for each message that was asked for; what came beyond that would come again.
        let Some(place) = places.pop() else { return };
        let given = Given { kept: Arc::clone(self), message };
        self.work.give(place, given.handle());
    }

    /// What came and was not begun is for somebody else, at once.
    async fn give_back(&self, batch: &mut pull::Batch) {
        while let Some(Some(Ok(message))) = batch.next().now_or_never() {
            let _ = message.ack_with(jetstream::AckKind::Nak(None)).await; // else it comes again later
        }
    }
}

/// A stream that has to be there.
async fn stream(context: &Context, name: &str) -> Result<stream::Stream, String> {
    let error = match context.get_stream(name).await {
        Ok(stream) => return Ok(stream),
        Err(error) => error,
    };
    match error.kind() {
        GetStreamErrorKind::JetStream(error)
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            Err(format!(
                "there is no stream {name}: create it, or let the handler's link do it (create_stream=true)"
            ))
        }
        _ => Err(format!("stream {name}: {error}")),
    }
}

/// Whether the stream is there.
pub(crate) async fn stream_exists(connection: &Connection, name: &str) -> Result<(), String> {
    let context = ContextBuilder::new().timeout(API_WAIT).build(connection.client().clone());
    stream(&context, name).await.map(drop)
}
