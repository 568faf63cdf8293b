//! A server that dies again and again, and one that hangs beside another.

use std::time::SystemTime;

use crate::{
    isolation::{self, Stoppable},
    rounds::{Links, Mortal, a_hundred_deaths, sockets},
    scene::{Scene, host, pairs},
    server::Server,
};

impl Mortal for Server {
    /// What it acknowledges is on disk.
    fn kill(&mut self) -> Option<SystemTime> {
        Self::kill(self);
        None
    }

    async fn restart(&mut self) {
        Self::restart(self).await;
    }

    fn clients(&self) -> usize {
        sockets(self.process())
    }
}

impl Stoppable for Server {
    async fn freeze(&self) {
        Self::freeze(self).await;
    }

    fn thaw(&self) {
        Self::thaw(self);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_in_a_hundred_deaths() {
    let mut scene = Scene::start().await;
    let links = Links {
        subject: "a.b",
        sending: pairs(&[("stream", "A")]),
        handing: pairs(&[
            ("stream", "A"),
            ("create_stream", "true"),
            ("subscriptions", "a.>"),
            ("ack_wait_ms", "3000"),
        ]),
    };
    a_hundred_deaths(&scene.host, &mut scene.server, links).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_server_hangs_does_not_slow_another() {
    let (well, ill) = (Server::start().await, Server::start().await);
    let host = host(&well).await;
    isolation::of_a_link(&host, pairs(&[]), pairs(&[("url", &ill.url())]), &ill).await;
}
