//! What a command said.

use std::process::Output;

use serde_json::Value;

/// The outcome of one `wattle` command.
#[derive(Clone, Debug)]
pub struct Said {
    /// What was run, for messages.
    pub command: String,
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// The answer.
    pub stdout: String,
    /// Notes and errors.
    pub stderr: String,
}

impl Said {
    pub(crate) fn new(command: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            command,
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same, if it succeeded.
    ///
    /// # Panics
    /// If it did not.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// The same, if it exited with this code.
    ///
    /// # Panics
    /// If it did not.
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Whether it succeeded.
    pub const fn is_ok(&self) -> bool {
        self.code == 0
    }

    /// The first host's key that it mentions.
    ///
    /// # Panics
    /// If it mentions none.
    pub fn host_key(&self) -> String {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        let words = all.split(|c: char| !c.is_ascii_alphanumeric());
        let key = words.into_iter().find(|word| word.parse::<wattle_core::HostKey>().is_ok());
        key.unwrap_or_else(|| panic!("no host's key: {self}")).to_owned()
    }

    /// The answer as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Whether the answer or the error has this text in it, however it is cased.
    pub fn mentions(&self, text: &str) -> bool {
        let all = format!("{}\n{}", self.stdout, self.stderr).to_lowercase();
        all.contains(&text.to_lowercase())
    }

    /// The same, if it mentions all of these.
    ///
    /// # Panics
    /// If it does not.
    pub fn naming(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.mentions(text), "{text:?} is not mentioned: {self}");
        }
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "{command}\nexit code {code}\nstdout: {stdout}\nstderr: {stderr}")
    }
}
