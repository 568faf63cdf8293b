//! What the host, its actors and its providers logged lately, for `wattle logs`.

mod layer;
mod shelf;
mod text;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use wattle_core::{
    EntityId,
    control::LogQuery,
    inventory::{LogLine, LogPage},
};

pub(crate) use self::text::printable;
use self::{layer::BookLayer, shelf::Shelf};

/// Bytes of one line; what is longer is cut.
pub(crate) const MESSAGE_LEN_MAX: usize = 8 * 1024;

/// Lines of one page.
const PAGE_LINES_MAX: usize = 5_000;

/// Bytes of one page's messages, so that an answer fits into a message of the lattice (900 KiB as base64).
const PAGE_LEN_MAX: usize = 512 * 1024;

/// The latest log lines, bounded for each who writes, so that a noisy one pushes out only its own.
#[derive(Debug, Default)]
pub struct LogBook {
    shelf: Mutex<Shelf>,
}

impl LogBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line that `id` wrote; the host itself if there is none. `level` is one of `trace`, `debug`, `info`, `warn` and
    /// `error`. Control characters in `message` are escaped, so that no line can pose as another, or move a terminal's cursor.
    pub fn push(&self, id: Option<EntityId>, level: &'static str, message: String) {
        let message = printable(message, MESSAGE_LEN_MAX);
        let at_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        self.shelf.lock().push(LogLine { at_ms, id, level: level.to_owned(), message });
    }

    /// The newest lines that `query` asks for, oldest first.
    pub fn page(&self, query: &LogQuery) -> LogPage {
        let wanted = usize::try_from(query.lines).unwrap_or(usize::MAX).min(PAGE_LINES_MAX);
        let shelf = self.shelf.lock();
        let mut left = PAGE_LEN_MAX;
        let mut lines: Vec<LogLine> = shelf
            .newest(query.id.as_ref(), query.after, wanted)
            .take_while(|line| {
                let fits = left.checked_sub(line.message.len());
                left = fits.unwrap_or(left);
                fits.is_some()
            })
            .cloned()
            .collect();
        lines.reverse();
        LogPage { lines, last: shelf.last() }
    }

    /// A layer of a `tracing` subscriber that adds the host's own events to the book.
    pub fn layer<S: Subscriber>(self: &Arc<Self>) -> impl Layer<S> + Send + Sync + 'static {
        BookLayer::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EntityId {
        text.parse().expect("an id")
    }

    fn messages(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.message.as_str()).collect()
    }

    fn query(lines: u32) -> LogQuery {
        LogQuery { lines, ..LogQuery::default() }
    }

    #[test]
    fn a_page_has_the_newest_lines_in_the_order_in_which_they_came() {
        let book = LogBook::new();
        book.push(None, "info", "one".to_owned());
        book.push(Some(id("cart")), "warn", "two".to_owned());
        book.push(None, "info", "three".to_owned());
        let page = book.page(&query(2));
        assert_eq!(messages(&page), ["two", "three"]);
        assert_eq!(page.last, 3);
        let cart = book.page(&LogQuery { id: Some(id("cart")), ..query(10) });
        assert_eq!(messages(&cart), ["two"]);
        assert_eq!(cart.lines[0].level, "warn");
    }

    #[test]
    fn who_follows_gets_each_line_once_and_everything_when_the_host_was_restarted() {
        let book = LogBook::new();
        book.push(None, "info", "one".to_owned());
        let seen = book.page(&query(10)).last;
        book.push(None, "info", "two".to_owned());
        assert_eq!(messages(&book.page(&LogQuery { after: seen, ..query(10) })), ["two"]);
        assert!(book.page(&LogQuery { after: 2, ..query(10) }).lines.is_empty());
        let before_the_restart = 10_000;
        let page = book.page(&LogQuery { after: before_the_restart, ..query(10) });
        assert_eq!(messages(&page), ["one", "two"]);
    }

    #[test]
    fn a_page_fits_into_a_message_of_the_lattice() {
        let book = LogBook::new();
        for _ in 0..500 {
            book.push(None, "info", "x".repeat(MESSAGE_LEN_MAX));
        }
        let page = book.page(&query(u32::MAX));
        let len: usize = page.lines.iter().map(|line| line.message.len()).sum();
        assert!(len <= PAGE_LEN_MAX && len > PAGE_LEN_MAX / 2, "{len}");
    }

    #[test]
    fn a_hostile_line_stays_one_line_without_control_characters() {
        let book = LogBook::new();
        book.push(None, "info", "a\nERROR b\u{1b}[2J\r\u{7f}\u{9b}\tc\u{202e}".to_owned());
        let page = book.page(&query(1));
        assert_eq!(messages(&page), ["a\\nERROR b\\u{1b}[2J\\r\\u{7f}\\u{9b}\tc\\u{202e}"]);
    }
}
