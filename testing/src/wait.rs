//! Waiting for what has no event to wait for.

use std::{
    future::Future,
    net::TcpListener,
    time::{Duration, Instant},
};

/// Looks every so often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer; panics after `limit`, saying `what` was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A port on loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
