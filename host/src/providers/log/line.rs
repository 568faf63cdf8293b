//! One line of a provider's log: what the SDK's subscriber writes as JSON, or plain text.

use std::{borrow::Cow, fmt::Write};

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: &'static str,
    pub(super) message: String,
}

/// A line as `tracing_subscriber`'s JSON format writes it; the rest of it is not kept.
#[derive(Deserialize)]
struct Structured<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
    fields: Map<String, Value>,
}

impl Line {
    /// Understands a line, or takes it as it is: then it is a warning, since whoever logs in order writes JSON.
    pub(super) fn parse(line: &[u8]) -> Self {
        let structured = || serde_json::from_slice::<Structured<'_>>(line).ok();
        line.starts_with(b"{").then(structured).flatten().map_or_else(
            || Self { level: "warn", message: String::from_utf8_lossy(line).into_owned() },
            Self::from,
        )
    }
}

impl From<Structured<'_>> for Line {
    fn from(mut line: Structured<'_>) -> Self {
        let mut message = match line.fields.remove("message") {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        for (name, value) in &line.fields {
            let space = if message.is_empty() { "" } else { " " };
            let _infallible = write!(message, "{space}{name}={value}");
        }
        Self { level: level_name(&line.level), message }
    }
}

fn level_name(level: &str) -> &'static str {
    match level {
        "TRACE" => "trace",
        "DEBUG" => "debug",
        "INFO" => "info",
        "ERROR" => "error",
        _ => "warn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_sdk_is_understood() {
        let line = br#"{"timestamp":"2026-11-20T12:00:00Z","level":"INFO","fields":{"message":"listening","port":8080},"target":"x"}"#;
        assert_eq!(
            Line::parse(line),
            Line { level: "info", message: "listening port=8080".to_owned() }
        );
    }

    #[test]
    fn anything_else_is_a_warning_as_it_stands() {
        for text in ["thread 'main' panicked", "{", "{}", r#"{"level":1,"fields":[]}"#, ""] {
            let line = Line { level: "warn", message: text.to_owned() };
            assert_eq!(Line::parse(text.as_bytes()), line);
        }
        assert_eq!(Line::parse(b"\xff\x00").message, "\u{fffd}\0");
        let deep = format!("{{\"level\":\"INFO\",\"fields\":{{\"a\":{}", "[".repeat(10_000));
        assert_eq!(Line::parse(deep.as_bytes()).level, "warn");
    }
}
