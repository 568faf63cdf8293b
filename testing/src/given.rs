//! A nats-server with configuration that somebody wrote, in its folder.

use std::{
    fs::File,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{eventually, programs::installed};

const START_MAX: Duration = Duration::from_secs(15);

/// A running nats-server; killed on drop.
pub struct GivenNats {
    folder: PathBuf,
    config: String,
    port: u16,
    child: Option<Child>,
}

impl GivenNats {
    /// Starts it in its folder, as its comments say, and returns when it listens on `port`.
    pub async fn start(folder: &Path, config: &str, port: u16) -> Self {
        let (folder, config) = (folder.to_owned(), config.to_owned());
        let mut server = Self { folder, config, port, child: None };
        server.restart().await;
        server
    }

    /// Kills it; what JetStream wrote stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _: Result<(), std::io::Error> = child.kill();
            let _: Result<_, std::io::Error> = child.wait();
        }
    }

    /// Starts it again, and returns when it listens.
    pub async fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.join("nats.log")).expect("a log");
        let mut command = Command::new(installed("nats-server"));
        command.args(["-c", &self.config]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("nats-server starts"));
        let (folder, port) = (self.folder.clone(), self.port);
        eventually("nats-server listens", START_MAX, async || {
            let log = std::fs::read_to_string(folder.join("nats.log")).unwrap_or_default();
            assert!(!log.contains("[FTL]") && !log.contains("nats-server: "), "{log}");
            TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        })
        .await;
    }
}

impl Drop for GivenNats {
    fn drop(&mut self) {
        self.kill();
    }
}
