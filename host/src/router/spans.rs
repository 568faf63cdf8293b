//! What this host keeps of the calls that somebody wants to trace: the newest spans, in memory. Other calls cost one comparison
//! per hop; these take a lock that all lanes share.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use wattle_core::{CallError, ErrorKind, HostKey, Span, SpanId, TraceId};

use crate::{actors::CallContext, logbook::printable};

/// Spans of all traces; the oldest go first.
const SPANS_MAX: usize = 4_096;
/// Spans of one trace that are told, the newest: an answer travels in one message, and a span may have more than 1,200 bytes.
const TOLD_MAX: usize = 400;
/// The most bytes of a function's name, which the caller chose.
const FUNCTION_LEN_MAX: usize = 200;

/// The spans that one host keeps.
pub(crate) struct SpanBook {
    host: HostKey,
    kept: Mutex<VecDeque<(TraceId, Arc<Span>)>>,
}

/// Who calls whom, for a span.
pub(super) struct Step<'a> {
    pub(super) caller: &'a str,
    pub(super) callee: &'a str,
    pub(super) interface: &'a str,
    pub(super) function: &'a str,
    /// The other host that the call is sent to.
    pub(super) sent_to: Option<&'a HostKey>,
}

/// A span of a call under way, where the call is traced. Dropped before it is closed, the call was cancelled, or ended by its deadline.
pub(super) struct OpenSpan(Option<Box<Open>>);

struct Open {
    book: Arc<SpanBook>,
    trace: TraceId,
    began: Instant,
    deadline: Instant,
    is_closed: bool,
    span: Span,
}

impl SpanBook {
    /// An empty one.
    pub(super) fn new(host: HostKey) -> Arc<Self> {
        Arc::new(Self { host, kept: Mutex::default() })
    }

    /// What is kept of a trace, oldest first.
    pub(crate) fn of(&self, trace: TraceId) -> Vec<Span> {
        let newest: Vec<Arc<Span>> = {
            let kept = self.kept.lock();
            let newest = kept.iter().rev().filter(|(of, _)| *of == trace).take(TOLD_MAX);
            newest.map(|(_, span)| span.clone()).collect()
        };
        newest.iter().rev().map(|span| Span::clone(span)).collect()
    }

    pub(super) fn open(self: &Arc<Self>, context: &CallContext, step: &Step<'_>) -> OpenSpan {
        let parent = context.trace.filter(|parent| parent.is_sampled());
        OpenSpan(parent.map(|parent| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let span = Span {
                span: SpanId::from_random(rand::random()),
                parent: parent.span,
                call: context.id,
                caller: step.caller.to_owned(),
                callee: step.callee.to_owned(),
                interface: step.interface.to_owned(),
                function: printable(step.function.to_owned(), FUNCTION_LEN_MAX),
                host: self.host.clone(),
                sent_to: step.sent_to.cloned(),
                began_us: since_1970.as_micros().try_into().unwrap_or(u64::MAX),
                took_us: 0,
                error: None,
            };
            let (book, trace, deadline) = (Arc::clone(self), parent.trace, context.deadline);
            Box::new(Open { book, trace, began: Instant::now(), deadline, is_closed: false, span })
        }))
    }

    fn keep(&self, trace: TraceId, span: Span) {
        let mut kept = self.kept.lock();
        if kept.len() >= SPANS_MAX {
            kept.pop_front();
        }
        kept.push_back((trace, Arc::new(span)));
    }

    /// A call that got no further.
    pub(super) fn refused(
        self: &Arc<Self>,
        context: &CallContext,
        step: &Step<'_>,
        error: &CallError,
    ) {
        self.open(context, step).close(Some(error));
    }
}

impl OpenSpan {
    /// What the call carries on: whatever it calls is a step within this one.
    pub(super) fn context<'a>(&self, context: &'a CallContext) -> Cow<'a, CallContext> {
        match &self.0 {
            None => Cow::Borrowed(context),
            Some(open) => {
                let trace = context.trace.map(|parent| parent.with_span(open.span.span));
                Cow::Owned(CallContext { trace, ..context.clone() })
            }
        }
    }

    /// Keeps it, with how the call failed if it did.
    pub(super) fn close(mut self, error: Option<&CallError>) {
        if let Some(open) = &mut self.0 {
            open.span.error = error.map(|error| error.kind);
            open.is_closed = true;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut span = self.span.clone();
        if !self.is_closed {
            let is_late = Instant::now() >= self.deadline;
            let kind = if is_late { ErrorKind::DeadlineExceeded } else { ErrorKind::Cancelled };
            span.error = Some(kind);
        }
        span.took_us = self.began.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        self.book.keep(self.trace, span);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wattle_core::{CallId, TraceParent};

    use super::*;

    const KEY: &str = "NABACYGBUVC3WIF5P7SWR3WW6ZGBPHQHXPZAUGTDTWHG5SNWVZYYQUUV";

    fn context(trace: Option<TraceParent>) -> CallContext {
        let deadline = Instant::now() + Duration::from_secs(60);
        CallContext { id: CallId::from_bytes([1; 16]), deadline, trace, depth: 0 }
    }

    fn step(function: &str) -> Step<'_> {
        Step { caller: "a", callee: "b", interface: "x:y/z", function, sent_to: None }
    }

    fn book() -> Arc<SpanBook> {
        SpanBook::new(KEY.parse().expect("a host's key"))
    }

    #[test]
    fn only_what_is_sampled_is_kept() {
        let book = book();
        let sampled = TraceParent::begin([7; 24]);
        let unsampled: TraceParent =
            sampled.to_string().replace("-01", "-00").parse().expect("well formed");
        for trace in [None, Some(unsampled)] {
            let context = context(trace);
            let span = book.open(&context, &step("f"));
            assert_eq!(span.context(&context).trace, trace);
            span.close(None);
        }
        assert_eq!(book.of(sampled.trace), []);
        let outer = context(Some(sampled));
        let span = book.open(&outer, &step("f"));
        let inner = span.context(&outer);
        book.open(&inner, &step("g")).close(Some(&CallError::new(ErrorKind::Denied, "no")));
        drop(book.open(&inner, &step("h")));
        let late = CallContext { deadline: Instant::now(), ..inner.clone().into_owned() };
        drop(book.open(&late, &step("late\n")));
        span.close(None);
        let spans = book.of(sampled.trace);
        let told: Vec<_> = spans.iter().map(|span| (&*span.function, span.error)).collect();
        let expected = [
            ("g", Some(ErrorKind::Denied)),
            ("h", Some(ErrorKind::Cancelled)),
            ("late\\n", Some(ErrorKind::DeadlineExceeded)),
            ("f", None),
        ];
        assert_eq!(told, expected);
        assert_eq!((spans[0].parent, spans[3].parent), (spans[3].span, sampled.span));
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_are_told() {
        let book = book();
        let (old, new) = (TraceParent::begin([1; 24]), TraceParent::begin([2; 24]));
        book.open(&context(Some(old)), &step("f")).close(None);
        for _ in 0..SPANS_MAX {
            book.open(&context(Some(new)), &step("f")).close(None);
        }
        assert_eq!(book.of(old.trace), []);
        assert_eq!(book.of(new.trace).len(), TOLD_MAX);
        assert_eq!(book.kept.lock().len(), SPANS_MAX);
    }
}
