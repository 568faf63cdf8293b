//! A redis-server on a free port, without files.

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Process, eventually, free_port, programs::installed};

const START_MAX: Duration = Duration::from_secs(10);

/// A running Redis; killed on drop.
pub struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// Starts one, and returns when it answers.
    pub async fn start() -> Self {
        let mut redis = Self { port: free_port(), child: None };
        redis.restart().await;
        redis
    }

    /// `redis://…`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process.
    ///
    /// # Panics
    /// If it was killed.
    pub fn process(&self) -> Process {
        Process::new(self.child.as_ref().expect("redis runs").id())
    }

    /// Kills it; its data is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _: Result<(), std::io::Error> = child.kill();
            let _: Result<_, std::io::Error> = child.wait();
        }
    }

    /// Starts it on the same port, empty, and returns when it answers.
    pub async fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let child = Command::new(installed("redis-server"))
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        self.child = Some(child);
        let port = self.port;
        eventually("redis answers", START_MAX, async || {
            TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
