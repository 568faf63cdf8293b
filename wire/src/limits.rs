//! What a connection allows its two sides.

/// Bounds of one connection. Both ends are configured alike; each enforces its own.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls in flight, in each direction; one more is `Overloaded`.
    pub calls_max: usize,
    /// Bytes queued for the socket above which body writers wait.
    pub queued_for_bodies_max: usize,
    /// Bytes queued for the socket above which a new request is `Overloaded`.
    pub queued_for_requests_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: 4_096,
            queued_for_bodies_max: 1024 * 1024,
            queued_for_requests_max: 8 * 1024 * 1024,
        }
    }
}
