//! A Mosquitto on a free port, which keeps sessions and messages in a folder of its own.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{eventually, free_port, programs::installed};

const START_MAX: Duration = Duration::from_secs(10);

/// A running MQTT broker; killed on drop.
pub struct Mosquitto {
    port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one, and returns when it listens.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn start() -> Self {
        let (port, dir) = (free_port(), tempfile::tempdir().expect("a folder"));
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest none\n\
             persistence true\npersistence_location {}/\nautosave_on_changes true\n\
             autosave_interval 1\n",
            dir.path().display()
        );
        fs::write(dir.path().join("mosquitto.conf"), text).expect("a file");
        let mut mosquitto = Self { port, dir, child: None };
        mosquitto.restart().await;
        mosquitto
    }

    /// `mqtt://…`
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; what it had written down comes back.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _: Result<(), std::io::Error> = child.kill();
            let _: Result<_, std::io::Error> = child.wait();
        }
    }

    /// Starts it on the same port, with what it had written down, and returns when it listens.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn restart(&mut self) {
        self.kill();
        let child = Command::new(installed("mosquitto"))
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        self.child = Some(child);
        let port = self.port;
        eventually("mosquitto listens", START_MAX, async || {
            TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        })
        .await;
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}
