//! Lines of Rust, indented.

use std::fmt::Display;

/// Columns of a line, as rustfmt has them here.
const WIDTH: usize = 100;
const STEP: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    depth: usize,
}

impl Text {
    pub(super) fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', self.depth * STEP));
            self.text.push_str(&line);
        }
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.line("");
    }

    /// Lines between `head` with its brace and the one that closes it.
    pub(super) fn block(&mut self, head: impl Display, inside: impl FnOnce(&mut Self)) {
        self.line(format!("{head} {{"));
        self.inside(inside);
        self.line("}");
    }

    pub(super) fn inside(&mut self, inside: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    /// A function's head, or a call: on one line where it fits.
    pub(super) fn list(&mut self, head: &str, entries: &[String], tail: &str) {
        let line = format!("{head}({}){tail}", entries.join(", "));
        if self.depth * STEP + line.len() <= WIDTH {
            return self.line(line);
        }
        self.line(format!("{head}("));
        self.inside(|text| {
            for entry in entries {
                text.line(format!("{entry},"));
            }
        });
        self.line(format!("){tail}"));
    }

    /// What the WIT says of something, or else `otherwise`. Its code is not Rust, and no test.
    pub(super) fn docs(&mut self, docs: Option<&str>, otherwise: &str) {
        let docs = docs.map(str::trim).filter(|docs| !docs.is_empty()).unwrap_or(otherwise);
        let mut fenced = false;
        for line in docs.lines().map(str::trim_end) {
            let fence = line.trim_start().starts_with("```");
            let open = fence && !fenced;
            fenced ^= fence;
            let line = match () {
                () if open => "```text",
                () if fence => "```",
                () if fenced => line,
                // Four blanks would begin code.
                () => line.trim_start(),
            };
            self.line(format!("/// {line}").trim_end());
        }
        if fenced {
            self.line("/// ```");
        }
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_wit_s_docs_is_no_test_of_rust() {
        let mut text = Text::default();
        text.docs(Some("So:\n\n```\nlet x = y;\n```\n    indented\n```wit\nopen"), "");
        let expected = "/// So:\n///\n/// ```text\n/// let x = y;\n/// ```\n/// indented\n/// ```text\n/// open\n/// ```\n";
        assert_eq!(text.into_string(), expected);
    }
}
