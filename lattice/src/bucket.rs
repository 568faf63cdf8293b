//! What records and artifacts share: a JetStream stream of ours, made when it is not there, with errors that say what to do.

mod error;

use std::time::Duration;

use async_nats::{
    StatusCode,
    jetstream::{
        ErrorCode, consumer,
        consumer::{DeliverPolicy, ReplayPolicy, push},
        context::{Context, ContextBuilder, PublishAckFuture, PublishErrorKind},
        message::PublishMessage,
        stream,
    },
};
use tokio::time::{Instant, sleep, timeout};

pub use self::error::StoreError;
use self::error::{create_error, from_no_stream, get_error};
use crate::Lattice;

/// How long an operation waits for the connection, and for a JetStream that is just starting.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks whether JetStream is there.
const POLL: Duration = Duration::from_millis(50);
/// How long JetStream may take to answer one request or to acknowledge one message. It syncs to disk before, and on a slow
/// uplink a megabyte may be under way ahead of the message.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// How long the first answer to a request that only reads may take: a server that died with it, or servers that choose a new leader,
/// never give one.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Whether a request whose answer was lost may be sent again, because it only reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

/// One stream.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    lattice: Lattice,
    context: Context,
    config: stream::Config,
}

/// What a new reader gets: how many messages are there for it, and then each, and each new one.
pub(crate) struct Reader {
    pub(crate) pending: u64,
    pub(crate) messages: push::Ordered,
}

impl Lattice {
    pub(crate) fn jetstream(&self) -> Context {
        let builder = ContextBuilder::new().timeout(ANSWER_WAIT);
        match self.js_domain() {
            Some(domain) => builder.domain(domain).build(self.client().clone()),
            None => builder.build(self.client().clone()),
        }
    }

    /// Whether JetStream is there for us.
    pub(crate) async fn has_jetstream(&self) -> Result<(), StoreError> {
        // Any answer about any stream will do. What it says of the account, older servers say in another form.
        let asked = Box::pin(self.jetstream().get_stream("wattle")).await;
        match asked.map_err(|error| get_error(&error)) {
            Ok(_) | Err((_, Some(ErrorCode::STREAM_NOT_FOUND))) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }
}

impl Bucket {
    /// Finds the stream or makes it.
    pub(crate) async fn open(lattice: Lattice, config: stream::Config) -> Result<Self, StoreError> {
        let context = lattice.jetstream();
        let bucket = Self { lattice, context, config };
        bucket.patiently(Again::Yes, || bucket.find_or_make()).await?;
        Ok(bucket)
    }

    pub(crate) fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// Publishes one message and waits until it is stored. `expected`: the sequence of the subject's last message, 0 for none.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
        expected: Option<u64>,
    ) -> Result<u64, StoreError> {
        let message = match expected {
            Some(sequence) => message.expected_last_subject_sequence(sequence),
            None => message,
        };
        // "No responders" means that nobody took it, so it may be sent again; nothing else does.
        let attempt = || async {
            match self.send(subject, message.clone()).await?.await {
                Ok(ack) => Ok(ack.sequence),
                Err(error) => Err(self.publish_error(&error)),
            }
        };
        self.patiently_remaking(Again::No, attempt).await
    }

    /// Publishes one message; the future is for its acknowledgement. Messages are stored in the order of these calls.
    pub(crate) async fn send(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAckFuture, StoreError> {
        let message = message.expected_stream(&self.config.name);
        let sent = self.context.send_publish(subject.to_owned(), message).await;
        sent.map_err(|error| self.publish_error(&error))
    }

    pub(crate) fn publish_error(
        &self,
        error: &async_nats::jetstream::context::PublishError,
    ) -> StoreError {
        match error.kind() {
            PublishErrorKind::StreamNotFound => StoreError::missing(),
            PublishErrorKind::WrongLastSequence => StoreError::Stale,
            PublishErrorKind::TimedOut => StoreError::TimedOut,
            PublishErrorKind::BrokenPipe => StoreError::Disconnected,
            PublishErrorKind::MaxPayloadExceeded
            | PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => StoreError::refused(error),
        }
    }

    /// The last message on a subject.
    pub(crate) async fn last(
        &self,
        subject: &str,
    ) -> Result<Option<async_nats::jetstream::message::StreamMessage>, StoreError> {
        use stream::DirectGetErrorKind::{ErrorResponse, NotFound, TimedOut};
        let stream = self.handle();
        let attempt = || async {
            match stream.direct_get_last_for_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) => match error.kind() {
                    NotFound => Ok(None),
                    TimedOut => Err(StoreError::TimedOut),
                    ErrorResponse(StatusCode::NO_RESPONDERS, _) => Err(StoreError::missing()),
                    _ => Err(StoreError::refused(&error)),
                },
            }
        };
        self.patiently_remaking(Again::Yes, attempt).await
    }

    /// Reads a part of the stream in order, from what there is on to what comes.
    pub(crate) async fn read(
        &self,
        filter: &str,
        from: DeliverPolicy,
    ) -> Result<Reader, StoreError> {
        let config = push::OrderedConfig {
            deliver_subject: self.lattice.client().new_inbox(),
            filter_subject: filter.to_owned(),
            replay_policy: ReplayPolicy::Instant,
            deliver_policy: from,
            ..push::OrderedConfig::default()
        };
        let stream = self.handle();
        let attempt = || async {
            let made: Result<consumer::Consumer<push::OrderedConfig>, _> =
                stream.create_consumer(config.clone()).await;
            let consumer = made.map_err(|error| from_no_stream(&error))?;
            let pending = consumer.cached_info().num_pending;
            let messages =
                consumer.messages().await.map_err(|error| StoreError::refused(&error))?;
            Ok(Reader { pending, messages })
        };
        self.patiently_remaking(Again::Yes, attempt).await
    }

    /// Removes what is on a subject; with `before`, only what is older than that sequence.
    pub(crate) async fn purge(&self, subject: &str, before: Option<u64>) -> Result<(), StoreError> {
        let purge = async {
            let (stream, filter) = (self.handle(), subject.to_owned());
            let purged = match before {
                Some(before) => stream.purge().filter(filter).sequence(before).await,
                None => stream.purge().filter(filter).await,
            };
            purged.map(drop).map_err(|error| StoreError::refused(&error))
        };
        self.unless_lost(Box::pin(purge)).await
    }

    /// How the stream is just now; it is made again if it is gone.
    pub(crate) async fn info(&self) -> Result<stream::Info, StoreError> {
        self.patiently(Again::Yes, || self.find_or_make()).await
    }

    /// A handle that nothing is asked for.
    fn handle(&self) -> stream::Stream<()> {
        // The name is ours and fits.
        futures::FutureExt::now_or_never(self.context.get_stream_no_info(&self.config.name))
            .and_then(Result::ok)
            .expect("a stream's handle is made without asking anybody")
    }

    /// Asks first, and makes it only when it is missing: who may only use it needs no permission to make it, and whoever made
    /// it otherwise, with replicas for example, keeps it so.
    async fn find_or_make(&self) -> Result<stream::Info, StoreError> {
        let name = &self.config.name;
        let made = match self.context.get_stream(name).await {
            Ok(stream) => Ok(stream),
            Err(error) => match get_error(&error) {
                (_, Some(ErrorCode::STREAM_NOT_FOUND)) => {
                    tracing::info!(stream = %name, "making a bucket that is not there");
                    self.context.create_stream(&self.config).await
                }
                (error, _) => return Err(error),
            },
        };
        let stream = match made {
            Ok(stream) => stream,
            // Somebody else made it meanwhile, with other settings.
            Err(error) => match create_error(&error) {
                (_, Some(ErrorCode::STREAM_NAME_EXIST)) => {
                    let found = self.context.get_stream(name).await;
                    found.map_err(|error| get_error(&error).0)?
                }
                (error, _) => return Err(error),
            },
        };
        let info = stream.cached_info().clone();
        if info.config.allow_direct {
            Ok(info)
        } else {
            Err(StoreError::Refused(format!("stream {name} does not allow direct gets")))
        }
    }

    /// Tries until it works, while the connection or JetStream may be about to be back.
    async fn patiently<T, F>(&self, again: Again, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let mut is_first = again == Again::Yes;
        loop {
            if !self.lattice.is_connected_within(PATIENCE).await {
                return Err(StoreError::Disconnected);
            }
            // The client's futures are large; this keeps them out of everybody else's.
            let answer = self.unless_lost(Box::pin(attempt()));
            let answered = match is_first {
                true => timeout(FIRST_WAIT, answer).await.unwrap_or(Err(StoreError::TimedOut)),
                false => answer.await,
            };
            match answered {
                Err(StoreError::TimedOut) if is_first => is_first = false,
                Err(StoreError::NoJetStream(_)) if Instant::now() < deadline => sleep(POLL).await,
                Err(StoreError::Interrupted)
                    if again == Again::Yes && Instant::now() < deadline => {}
                done => return done,
            }
        }
    }

    /// What was asked of a server that is gone is not answered by the one that comes back: do not wait for it.
    pub(crate) async fn unless_lost<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            biased;
            answered = answer => answered,
            () = self.lattice.lost() => Err(StoreError::Interrupted),
        }
    }

    /// The same for what needs the stream, which is made when nobody answers for it.
    async fn patiently_remaking<T, F>(
        &self,
        again: Again,
        attempt: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.patiently(again, || async {
            match attempt().await {
                Err(error @ StoreError::NoJetStream(_)) => {
                    self.find_or_make().await?;
                    Err(error)
                }
                done => done,
            }
        })
        .await
    }
}
