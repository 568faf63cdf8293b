//! What goes to stdout (the answer) and to stderr (progress, notes, errors), as text or as JSON.

mod table;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use table::{Table, wrap_key};

use crate::problem::Report;

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value on stdout (one per line for what streams).
    Json,
}

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// The command's answer: `json` for programs, `text` for people.
    pub(crate) fn answer(self, json: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(json);
                print_line(&json.expect("answers have no maps with unserialisable keys"));
            }
            Format::Text => {
                let text = text();
                if !text.is_empty() {
                    print_line(plain(&text).trim_end());
                }
            }
        }
    }

    /// One of many answers, each on a line of its own.
    pub(crate) fn line(self, json: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => {
                let json = serde_json::to_string(json);
                print_line(&json.expect("answers have no maps with unserialisable keys"));
            }
            Format::Text => print_line(&plain(&text())),
        }
    }

    /// An answer in the place of the one before, on a terminal; else on lines of its own.
    pub(crate) fn again(self, json: &impl Serialize, text: impl FnOnce() -> String) {
        const FROM_THE_TOP: &str = "\u{1b}[H\u{1b}[J";
        match self.format {
            Format::Text if std::io::stdout().is_terminal() => {
                print_line(&format!("{FROM_THE_TOP}{}", plain(&text())));
            }
            _ => self.line(json, text),
        }
    }

    /// Bytes as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        exit_when_closed(written);
    }

    /// Something worth knowing beside the answer, for whoever looks on.
    pub(crate) fn note(self, text: &str) {
        if !self.is_silent() {
            say(&plain(&format!("{text}\n")));
        }
    }

    /// The same, where programs may want to read it: a JSON value on a line of its own.
    pub(crate) fn aside(self, json: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json if !self.quiet => {
                let json = serde_json::to_string(json);
                say(&format!("{}\n", json.expect("notes have no unserialisable keys")));
            }
            Format::Json => {}
            Format::Text => self.note(&text()),
        }
    }

    /// Says that `what` is under way; the step's end says how it went.
    pub(crate) fn step(self, what: &str) -> Step {
        Step::begin(what, self.is_silent())
    }

    /// Programs read nothing on stderr but errors, and what they asked for.
    fn is_silent(self) -> bool {
        self.quiet || (self.is_json() && !std::io::stderr().is_terminal())
    }

    /// A failure, on stderr.
    pub(crate) fn failed(self, report: &Report) {
        match self.format {
            Format::Json => {
                let error = serde_json::json!({"error": {
                    "kind": report.exit.as_str(),
                    "message": report.message,
                    "next": report.next,
                }});
                say(&format!("{error}\n"));
            }
            Format::Text => {
                let next = report.next.iter().map(|next| format!("  next: {next}\n"));
                let next: String = next.collect();
                say(&plain(&format!("error: {}\n{next}", report.message)));
            }
        }
    }
}

/// A step of a long command, on stderr: `starting nats-server … pid 4711 (0.2 s)`.
#[must_use = "a step must be ended"]
pub(crate) struct Step {
    began: std::time::Instant,
    silent: bool,
    open: bool,
}

impl Step {
    fn begin(what: &str, silent: bool) -> Self {
        if !silent {
            say(&format!("{what} … "));
        }
        Self { began: std::time::Instant::now(), silent, open: true }
    }

    /// It is done, and this is what came of it.
    pub(crate) fn done(mut self, result: &str) {
        self.open = false;
        if !self.silent {
            say(&format!("{result} ({:.1} s)\n", self.began.elapsed().as_secs_f32()));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.open && !self.silent {
            say("failed\n");
        }
    }
}

/// A stderr that nobody reads any more must not keep a command from doing what it does.
fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Text from files and hosts as a person may see it: control characters could move the cursor or change the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}

fn print_line(text: &str) {
    exit_when_closed(writeln!(std::io::stdout().lock(), "{text}"));
}

/// A reader that has seen enough (`wattle logs | head`) ends us quietly, as it ends every other tool.
fn exit_when_closed(written: std::io::Result<()>) {
    if let Err(error) = written {
        let code = if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 1 };
        std::process::exit(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2J\r\u{0}b\n\tc"), "a\u{fffd}[2J\u{fffd}\u{fffd}b\n\tc");
    }
}
