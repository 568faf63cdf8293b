//! Drives hyper's connection, closes it when it is idle, and lets it finish when its address closes.

use std::{
    future::Future,
    pin::{Pin, pin},
    time::Duration,
};

use http_body::Body;
use hyper::{
    body::Incoming,
    rt::{Read, Write, bounds::Http2ServerConnExec},
    server::conn::{http1, http2},
    service::HttpService,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{End, active::Connection};

/// Looks per idle limit: a connection is closed between one limit and five quarters of it. A timer of its own for each
/// request would cost more than all else that we do for it.
const LOOKS: u32 = 4;

/// Between two looks once the address closes: connections that never sent anything, and those whose last answer nobody reads,
/// must not hold up a drain.
const CLOSING_LOOK: Duration = Duration::from_millis(500);

/// hyper's two connections, which have no trait in common.
pub(super) trait Drive: Future<Output = hyper::Result<()>> {
    /// Ends the connection once what is under way is answered.
    fn finish(self: Pin<&mut Self>);
}

impl<I, B, S> Drive for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: Read + Write + Unpin,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S, E> Drive for http2::Connection<I, S, E>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: Read + Write + Unpin,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: Http2ServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives `http` to its end. An idle connection is asked to finish, and dropped if it has not by the next look: one that
/// holds back half a head would never finish.
pub(super) async fn drive(http: impl Drive, connection: &Connection) -> Result<(), End> {
    let mut http = pin!(http);
    let mut closing = connection.site().closing();
    let mut is_closing = false;
    let mut looks = every(connection.site().settings().idle / LOOKS);
    let mut quiet = Quiet::default();
    loop {
        tokio::select! {
            biased;
            end = http.as_mut() => return Ok(end?),
            _ = closing.wait_for(|closing| *closing), if !is_closing => {
                is_closing = true;
                looks = every(CLOSING_LOOK);
                http.as_mut().finish();
            }
            _ = looks.tick() => match quiet.look(connection.activity()) {
                looks if looks > LOOKS => return Err(End::Idle),
                LOOKS => http.as_mut().finish(),
                _ => {}
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut looks = interval_at(Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// For how many looks nothing was under way.
#[derive(Default)]
struct Quiet {
    begun: u32,
    looks: u32,
}

impl Quiet {
    fn look(&mut self, (active, begun): (u32, u32)) -> u32 {
        let is_quiet = active == 0 && begun == self.begun;
        self.begun = begun;
        self.looks = if is_quiet { self.looks + 1 } else { 0 };
        self.looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_quiet_from_the_first_look_that_saw_nothing_new() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.look((0, 0)), 1);
        assert_eq!(quiet.look((1, 1)), 0);
        assert_eq!(quiet.look((1, 1)), 0);
        assert_eq!(quiet.look((0, 1)), 1);
        assert_eq!(quiet.look((0, 1)), 2);
        assert_eq!(quiet.look((0, 9)), 0);
    }
}
