//! What a call has made so far. Handles in an answer that nobody gets are nobody's: nobody could drop them.

use std::{
    cell::Cell,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// Takes back one handle.
type Undo = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Of the call that this thread polls; nothing, beside calls.
    static MADE: Cell<Option<Vec<Undo>>> = const { Cell::new(None) };
}

/// Notes how to take back a handle that the call under way has made.
pub(super) fn note(undo: impl FnOnce() + Send + 'static) {
    if let Some(mut made) = MADE.take() {
        made.push(Box::new(undo));
        MADE.set(Some(made));
    }
}

pin_project! {
    /// Runs a call, and takes back the handles that it made if it fails, or if this is dropped. A type of its own, because an async
    /// function would hold the call twice: as it was given, and where it runs. Calls are large.
    pub(crate) struct KeptIfAnswered<F> {
        #[pin]
        call: F,
        made: Made,
    }
}

pub(crate) fn kept_if_answered<F, T, E>(call: F) -> KeptIfAnswered<F>
where
    F: Future<Output = Result<T, E>>,
{
    KeptIfAnswered { call, made: Made(Vec::new()) }
}

impl<F, T, E> Future for KeptIfAnswered<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inside = Inside::enter(this.made);
        let polled = this.call.poll(cx);
        drop(inside);
        match &polled {
            Poll::Ready(Ok(_)) => this.made.0.clear(),
            Poll::Ready(Err(_)) => this.made.take_back(),
            Poll::Pending => {}
        }
        polled
    }
}

/// What to take back when this is dropped.
struct Made(Vec<Undo>);

impl Made {
    fn take_back(&mut self) {
        self.0.drain(..).for_each(|undo| undo());
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// While it is there, what is made is made by this call.
struct Inside<'a> {
    made: &'a mut Made,
    outside: Option<Vec<Undo>>,
}

impl<'a> Inside<'a> {
    fn enter(made: &'a mut Made) -> Self {
        let outside = MADE.replace(Some(mem::take(&mut made.0)));
        Self { made, outside }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.made.0 = MADE.replace(self.outside.take()).unwrap_or_default();
    }
}
