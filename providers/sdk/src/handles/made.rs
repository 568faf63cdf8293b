//! What a call has made so far. Handles in an answer that nobody gets are nobody's: nobody could drop them.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    mem,
    pin::pin,
};

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

/// Runs a call, and takes back the handles that it made if it fails.
///
/// # Cancel safety
/// Dropping the future drops the call, and takes them back.
pub(crate) async fn kept_if_answered<T, E>(
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut made = Made(Vec::new());
    let mut call = pin!(call);
    let answer = poll_fn(|cx| {
        let _inside = Inside::enter(&mut made);
        call.as_mut().poll(cx)
    })
    .await;
    if answer.is_ok() {
        made.0.clear();
    }
    answer
}

/// What to take back when this is dropped.
struct Made(Vec<Undo>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|undo| undo());
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
