//! A manifest from a file or stdin, with what is to be said about it.

use std::{
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::json;
use wattle_wadm::manifest::{self, Finding, Manifest, Place, Reading, Severity};

use super::fetch;
use crate::{exit::Exit, output::Output, problem::Problem};

/// A manifest that was read, whatever is wrong with it.
pub(super) struct Text {
    /// What it is called in what is said.
    pub(super) name: String,
    /// The folder that its files are relative to; none where it names none.
    pub(super) folder: Option<PathBuf>,
    text: String,
    pub(super) reading: Reading,
}

impl Text {
    /// Reads it; `-` is stdin, and what begins like a URL is fetched.
    pub(super) async fn read(file: &Path) -> Result<Self, Problem> {
        let url = file.to_str().filter(|text| fetch::is_url(text));
        let is_stdin = file.as_os_str() == "-";
        let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
        let text = match url {
            Some(url) => fetch::text(url).await?,
            None => read(file, is_stdin).map_err(|error| not_read(&name, &error))?,
        };
        let reading = manifest::read(&text);
        // What comes from elsewhere names no files of this machine.
        let folder = match (url, is_stdin) {
            (Some(_), _) => None,
            (None, true) => Some(PathBuf::new()),
            (None, false) => Some(file.parent().unwrap_or(Path::new("")).to_owned()),
        };
        Ok(Self { name, folder, text, reading })
    }

    /// The application, after everything that is to be said about it was said beside the answer.
    pub(super) fn manifest(&self, output: Output) -> Result<&Manifest, Problem> {
        if !self.reading.findings.is_empty() {
            let Reading { findings, unsaid, .. } = &self.reading;
            let said = json!({"file": self.name, "findings": findings, "unsaid": unsaid});
            output.aside(&said, || self.shown().trim_end().to_owned());
        }
        self.reading.manifest.as_ref().ok_or_else(|| {
            Problem::new(Exit::Failed, format!("{} is not valid", self.name))
                .next("wattle app validate FILE")
        })
    }

    /// All findings with their lines, and a summary.
    pub(super) fn shown(&self) -> String {
        as_text(&self.name, &self.text, &self.reading)
    }
}

fn read(file: &Path, is_stdin: bool) -> io::Result<String> {
    let limit = manifest::TEXT_LEN_MAX as u64 + 1; // one byte more shows that it is exceeded
    let mut bytes = Vec::new();
    if is_stdin {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    }
    if bytes.len() > manifest::TEXT_LEN_MAX {
        let what = format!("a manifest has at most {} bytes", manifest::TEXT_LEN_MAX);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    as_utf8(bytes).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Bytes as text, or what is wrong with them.
pub(super) fn as_utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        format!("this is not text: no UTF-8 at byte {}", error.utf8_error().valid_up_to())
    })
}

fn not_read(name: &str, error: &io::Error) -> Problem {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Failed,
    };
    Problem::new(exit, format!("{name}: {error}"))
}

fn as_text(name: &str, text: &str, reading: &Reading) -> String {
    let Reading { findings, unsaid, .. } = reading;
    let shown: Vec<String> = findings.iter().map(|finding| shown(name, text, finding)).collect();
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let said = match (errors, warnings) {
        (0, 0) => None,
        (0, warnings) => Some(several(warnings, "warning")),
        (errors, 0) => Some(several(errors, "error")),
        (errors, warnings) => {
            Some(format!("{} and {}", several(errors, "error"), several(warnings, "warning")))
        }
    };
    let more = if *unsaid > 0 { format!(", and {unsaid} more") } else { String::new() };
    let sum = match (&reading.manifest, said) {
        (Some(_), None) => "valid".to_owned(),
        (Some(_), Some(said)) => format!("valid, with {said}"),
        (None, said) => format!("not valid: {}", said.unwrap_or_default()),
    };
    format!("{}{name}: {sum}{more}\n", shown.concat())
}

fn several(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A finding above the line that it is about.
fn shown(name: &str, text: &str, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(finding.message.as_str());
    let Place { line, column, bytes } = &finding.place;
    let mut group = if *line == 0 {
        Group::with_title(title)
    } else {
        let (shown, span) = excerpt(text, bytes);
        let is_whole = shown[..span.start].chars().count() + 1 == *column;
        let at = AnnotationKind::Primary.span(span);
        let snippet = Snippet::source(shown).line_start(*line).annotation(at);
        match is_whole {
            true => title.element(snippet.path(name)),
            // The column is not the one that is seen.
            false => {
                let origin = Origin::path(name).line(*line).char_column(*column);
                title.element(origin).element(snippet)
            }
        }
    };
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    format!("{}\n\n", Renderer::plain().render(&[group]))
}

/// The part of a line that is meant, and where in it: to lay out a text is work for each of its bytes.
fn excerpt<'a>(text: &'a str, bytes: &Range<usize>) -> (&'a str, Range<usize>) {
    const BEFORE_MAX: usize = 120; // bytes
    const AFTER_MAX: usize = 120;
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let first = mark.min(bytes.start);
    let line = text[..bytes.start].rfind(['\r', '\n']).map_or(first, |end| end + 1);
    let rest = &text[bytes.start..];
    let line_end = bytes.start + rest.find(['\r', '\n']).unwrap_or(rest.len());
    let start = text.ceil_char_boundary(line.max(bytes.start.saturating_sub(BEFORE_MAX)));
    let end = text.floor_char_boundary(line_end.min(bytes.start + AFTER_MAX));
    (&text[start..end], bytes.start - start..bytes.end.min(end) - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_stands_at_its_line() {
        let text = "apiVersion: core.oam.dev/v1beta1\nkind: Pod\nmetadata: {name: shop}\n";
        let expected = "\
error: a manifest needs spec
 --> shop.yaml:1:1
  |
1 | apiVersion: core.oam.dev/v1beta1
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

error: kind has to be Application
 --> shop.yaml:2:7
  |
2 | kind: Pod
  |       ^^^

shop.yaml: not valid: 2 errors
";
        assert_eq!(as_text("shop.yaml", text, &manifest::read(text)), expected);
        let long = format!("{}ä: {}\r\nx", "é".repeat(500), "ü".repeat(500));
        let at = long.find('ä').expect("it is there");
        let (shown, span) = excerpt(&long, &(at..at + 1_000));
        assert!(shown.len() <= 240 && shown[span].starts_with("ä: ü"), "{shown}");
        let empty = as_text("a", "", &manifest::read(""));
        assert_eq!(empty, "error: the manifest is empty\n\na: not valid: 1 error\n");
    }
}
