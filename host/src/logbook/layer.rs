//! The host's own events, on their way from `tracing` into the book.

use std::{
    fmt::{Debug, Write},
    sync::Arc,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{LogBook, MESSAGE_LEN_MAX};

/// Adds each event to the book as one line: what it says, then its fields.
pub(super) struct BookLayer {
    book: Arc<LogBook>,
}

impl BookLayer {
    pub(super) fn new(book: Arc<LogBook>) -> Self {
        Self { book }
    }
}

impl<S: Subscriber> Layer<S> for BookLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        text.message.push_str(&text.fields);
        self.book.push(None, level_name(*event.metadata().level()), text.message);
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.message.len() + self.fields.len() > MESSAGE_LEN_MAX {
            return; // the line is cut there anyway
        }
        let _written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;
    use wattle_core::control::LogQuery;

    use super::*;

    #[test]
    fn an_event_becomes_a_line_with_its_fields() {
        let book = Arc::new(LogBook::new());
        let subscriber = tracing_subscriber::registry().with(book.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(provider = "store", pid = 7, "provider ended");
        });
        let page = book.page(&LogQuery { lines: 1, ..LogQuery::default() });
        assert_eq!(page.lines[0].message, "provider ended provider=\"store\" pid=7");
        assert_eq!((page.lines[0].level.as_str(), &page.lines[0].id), ("warn", &None));
    }
}
