//! One link's way to S3: a server, a key, and buckets.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AwsCredential},
};
use wattle_blobstore::Failure;

use crate::{Settings, http::Requests, io::Io, settings::check_bucket};

/// Between two attempts, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How long after the first attempt another may begin: what a caller's deadline usually leaves.
const RETRY_WITHIN: Duration = Duration::from_secs(8);

/// What all calls of a link share.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) io: Io,
    pub(crate) requests: Requests,
    pub(crate) settings: Arc<Settings>,
}

impl Account {
    pub(crate) fn new(io: Io, requests: Requests, settings: Settings) -> Self {
        Self { io, requests, settings: Arc::new(settings) }
    }

    /// The objects of the bucket that a container is.
    pub(crate) fn objects(&self, container: &str) -> Result<Arc<AmazonS3>, Failure> {
        self.objects_in(self.settings.bucket(container)?)
    }

    /// The objects of a bucket.
    pub(crate) fn objects_in(&self, bucket: &str) -> Result<Arc<AmazonS3>, Failure> {
        check_bucket(bucket)?; // it becomes a part of addresses as it is
        let settings = &*self.settings;
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(&settings.endpoint)
            .with_allow_http(settings.endpoint.starts_with("http://"))
            .with_region(&settings.region)
            .with_bucket_name(bucket)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(&settings.secret_access_key)
            .with_retry(self.retry())
            .with_http_connector(self.requests.clone());
        if let Some(token) = &settings.session_token {
            builder = builder.with_token(token);
        }
        let built = builder.build();
        built
            .map(Arc::new)
            .map_err(|error| Failure::backend(format!("S3 as it is set up: {error}")))
    }

    /// The key, for what is signed here.
    pub(crate) fn credential(&self) -> AwsCredential {
        AwsCredential {
            key_id: self.settings.access_key_id.clone(),
            secret_key: self.settings.secret_access_key.clone(),
            token: self.settings.session_token.clone(),
        }
    }

    /// Only what provably was not done, or may be done twice, is tried again: `object_store` knows which.
    pub(crate) fn retry(&self) -> RetryConfig {
        let (init_backoff, max_backoff) = BACKOFF;
        RetryConfig {
            backoff: BackoffConfig { init_backoff, max_backoff, ..BackoffConfig::default() },
            max_retries: (self.settings.max_attempts - 1) as usize,
            retry_timeout: RETRY_WITHIN,
        }
    }
}
