//! Requests that `object_store` does not make: those about buckets, copies between them, and pages of names.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use object_store::{
    aws::AwsAuthorizer,
    client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse},
};
use tokio::time::sleep;
use wattle_blobstore::Failure;

use crate::{account::Account, error::said, multipart::COPY_BYTES_MAX};

/// The most bytes of an answer: a page of a thousand keys of the longest kind, escaped, has three million.
const ANSWER_LEN_MAX: usize = 8 * 1024 * 1024;

/// What is done by a request that only asks whether there is a bucket.
const LOOKING: &str = "look for a bucket";

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Done,
    /// There is no object of the first name.
    Missing,
    /// The object of the first name is not the version that was asked for.
    Changed,
}

/// A copy's request: what to copy, and only which version of it.
#[derive(Clone, Copy, Debug)]
struct CopySource<'a> {
    path: &'a str,
    e_tag: Option<&'a str>,
}

/// Whether a request may be made again although it may have been obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Yes,
    /// Only where it provably was not.
    No,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// S3 begins with its answer ahead of the copy's end, and says in it whether that went well: only then there is a copy.
    fn must_tell_of_a_copy(&self) -> Result<(), Failure> {
        let text = self.text();
        if text.contains("<CopyObjectResult") {
            return Ok(());
        }
        let words = said(&text).unwrap_or_else(|| "its answer does not tell of a copy".to_owned());
        Err(Failure::backend(format!("S3 fails to copy an object: {words}")))
    }

    /// What to say of an answer that nothing else is known to mean.
    fn refusal(&self, doing: &str) -> Failure {
        let words = said(&self.text()).unwrap_or_else(|| self.status.to_string());
        match self.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                Failure::other(format!("S3 does not allow this key to {doing}: {words}"))
            }
            status if status.is_server_error() => {
                Failure::backend(format!("S3 fails to {doing}: {words}"))
            }
            status if status.is_redirection() => {
                Failure::other(format!("S3 refuses to {doing}: the bucket lies in another region"))
            }
            _ => Failure::other(format!("S3 refuses to {doing}: {words}")),
        }
    }
}

impl Account {
    /// Whether the bucket that a container is exists.
    pub(crate) async fn has_bucket(&self, container: &str) -> Result<bool, Failure> {
        let answer = self.look_for_bucket(container).await?;
        match answer.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answer.refusal(LOOKING)),
        }
    }

    /// Fails where there is no such bucket. A key that may only write, or only read what it knows, may not look: S3 then says so,
    /// and what comes next shows whether that is allowed.
    pub(crate) async fn must_have_bucket(&self, container: &str) -> Result<(), Failure> {
        let answer = self.look_for_bucket(container).await?;
        match answer.status {
            StatusCode::OK | StatusCode::FORBIDDEN => Ok(()),
            StatusCode::NOT_FOUND => Err(Failure::no_container(container)),
            _ => Err(answer.refusal(LOOKING)),
        }
    }

    async fn look_for_bucket(&self, container: &str) -> Result<Answer, Failure> {
        let url = self.bucket_url(container)?;
        self.ask(LOOKING, Again::Yes, Method::HEAD, &url, None, Bytes::new()).await
    }

    /// Makes a bucket. It is looked for first, because the first region answers `OK` for one that its owner has already.
    pub(crate) async fn make_bucket(&self, container: &str) -> Result<(), Failure> {
        if self.has_bucket(container).await? {
            return Err(Failure::container_exists(container));
        }
        let region = &self.settings.bucket_region;
        let place = match region.as_str() {
            "us-east-1" => String::new(),
            region => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
                quick_xml::escape::escape(region)
            ),
        };
        let doing = "make a bucket";
        let (url, place) = (self.bucket_url(container)?, place.into());
        let answer = self.ask(doing, Again::No, Method::PUT, &url, None, place).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            StatusCode::CONFLICT => Err(Failure::container_exists(container)),
            _ => Err(answer.refusal(doing)),
        }
    }

    /// Deletes a bucket, which must be empty.
    pub(crate) async fn delete_bucket(&self, container: &str) -> Result<(), Failure> {
        let doing = "delete a bucket";
        let url = self.bucket_url(container)?;
        let answer = self.ask(doing, Again::No, Method::DELETE, &url, None, Bytes::new()).await?;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            StatusCode::NOT_FOUND => Err(Failure::no_container(container)),
            _ => Err(answer.refusal(doing)),
        }
    }

    /// Copies an object within S3, where an ETag is given only that version of it.
    pub(crate) async fn copy(
        &self,
        (from, name): (&str, &str),
        (to, new_name): (&str, &str),
        e_tag: Option<&str>,
    ) -> Result<Copied, Failure> {
        let doing = "copy an object";
        let bucket = escaped(self.settings.bucket(from)?, false);
        let path = format!("/{bucket}/{}", escaped(name, true));
        let source = CopySource { path: &path, e_tag };
        let url = format!("{}/{}", self.bucket_url(to)?, escaped(new_name, true));
        let asked = self.ask(doing, Again::Yes, Method::PUT, &url, Some(source), Bytes::new());
        let answer = asked.await?;
        match answer.status {
            StatusCode::OK => answer.must_tell_of_a_copy().map(|()| Copied::Done),
            StatusCode::NOT_FOUND => Ok(Copied::Missing),
            StatusCode::PRECONDITION_FAILED if e_tag.is_some() => Ok(Copied::Changed),
            StatusCode::BAD_REQUEST if answer.text().contains("larger than the maximum") => {
                let text = format!("S3 copies no object of more than {COPY_BYTES_MAX} bytes");
                Err(Failure::too_large(text))
            }
            _ => Err(answer.refusal(doing)),
        }
    }

    /// One page of a container's keys, as S3 writes it.
    pub(crate) async fn page(
        &self,
        container: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<String, Failure> {
        let doing = "list a bucket";
        let mut url = format!(
            "{}?list-type=2&max-keys={limit}&prefix={}",
            self.bucket_url(container)?,
            escaped(prefix, false)
        );
        if let Some(after) = after {
            url.push_str("&start-after=");
            url.push_str(&escaped(after, false));
        }
        let answer = self.ask(doing, Again::Yes, Method::GET, &url, None, Bytes::new()).await?;
        match answer.status {
            StatusCode::OK => String::from_utf8(answer.body.into())
                .map_err(|_| Failure::backend("S3 fails to list a bucket: its answer is no text")),
            StatusCode::NOT_FOUND => Err(Failure::no_container(container)),
            _ => Err(answer.refusal(doing)),
        }
    }

    fn bucket_url(&self, container: &str) -> Result<String, Failure> {
        let bucket = escaped(self.settings.bucket(container)?, false);
        Ok(format!("{}/{bucket}", self.settings.endpoint))
    }

    /// Makes a request, again where that cannot do harm, and reads what comes.
    async fn ask(
        &self,
        doing: &str,
        again: Again,
        method: Method,
        url: &str,
        copy_source: Option<CopySource<'_>>,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let retry = self.retry();
        let mut pause = retry.backoff.init_backoff;
        for left in (0..=retry.max_retries).rev() {
            let request = self.signed(method.clone(), url, copy_source, body.clone())?;
            let answer = match self.requests.send(request).await {
                Ok(response) => read(response).await,
                Err(error) => Err(error),
            };
            let may_try = match &answer {
                Ok(answer) => answer.status.is_server_error() && again == Again::Yes,
                Err(error) => error.kind() == HttpErrorKind::Connect || again == Again::Yes,
            };
            if left == 0 || !may_try {
                return answer.map_err(|error| {
                    let reason = std::error::Error::source(&error);
                    let reason = reason.map_or_else(|| error.to_string(), innermost);
                    Failure::backend(format!("S3 fails to {doing}: {reason}"))
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(retry.backoff.max_backoff);
        }
        Err(Failure::backend(format!("S3 fails to {doing}")))
    }

    fn signed(
        &self,
        method: Method,
        url: &str,
        copy_source: Option<CopySource<'_>>,
        body: Bytes,
    ) -> Result<HttpRequest, Failure> {
        let mut request = http::Request::builder().method(method).uri(url);
        if let Some(CopySource { path, e_tag }) = copy_source {
            request = request.header("x-amz-copy-source", path);
            if let Some(e_tag) = e_tag {
                request = request.header("x-amz-copy-source-if-match", e_tag);
            }
        }
        let request = request.header(http::header::CONTENT_LENGTH, body.len());
        let cannot = |error: &dyn std::error::Error| Failure::backend(format!("signing: {error}"));
        let mut request =
            request.body(HttpRequestBody::from(body)).map_err(|error| cannot(&error))?;
        let credential = self.credential();
        let signed = AwsAuthorizer::new(&credential, "s3", &self.settings.region)
            .try_authorize(&mut request, None);
        signed.map_err(|error| cannot(&error))?;
        Ok(request)
    }
}

async fn read(response: HttpResponse) -> Result<Answer, HttpError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LEN_MAX).collect().await;
    let broken = |error| HttpError::new_boxed(HttpErrorKind::Interrupted, error);
    Ok(Answer { status, body: body.map_err(broken)?.to_bytes() })
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// Percent-encoded as SigV4 wants it: all but letters, digits and `-._~`, and the slashes of a path.
pub(crate) fn escaped(text: &str, is_path: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            b'/' if is_path => escaped.push('/'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_tells_of_a_copy_means_one() {
        let told = |body: &'static str| {
            Answer { status: StatusCode::OK, body: body.into() }.must_tell_of_a_copy()
        };
        assert_eq!(
            told("<?xml?>\n<CopyObjectResult xmlns=\"x\"><ETag/></CopyObjectResult>"),
            Ok(())
        );
        for body in ["", "<?xml?>\n   ", "<Error><Code>InternalError</Code></Error>"] {
            assert!(matches!(told(body), Err(Failure::Call(_))), "{body}");
        }
    }

    #[test]
    fn what_is_escaped_is_what_sigv4_escapes() {
        assert_eq!(escaped("a/b c+d~ä", true), "a/b%20c%2Bd~%C3%A4");
        assert_eq!(escaped("a/b", false), "a%2Fb");
    }
}
