//! What a link's task hears of its end, and says of its beginning.

use tokio::sync::{oneshot, watch};

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes what comes.
    Running,
    /// Take nothing new, end what was taken.
    Draining,
    /// Let go of everything that is not under way.
    Deleted,
}

/// What a link's task hears of its end.
#[derive(Clone, Debug)]
pub struct End(pub(super) watch::Receiver<Phase>);

impl End {
    /// How far the link has come.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Comes back when nothing new is to be taken.
    pub async fn draining(&mut self) {
        let _ = self.0.wait_for(|phase| *phase != Phase::Running).await; // without a sender it has ended, too
    }

    /// Comes back when the link is gone.
    pub async fn deleted(&mut self) {
        let _ = self.0.wait_for(|phase| *phase == Phase::Deleted).await;
    }
}

/// Says once whether what the link is for comes, or why it does not.
#[derive(Debug)]
pub struct Ready(pub(super) Option<oneshot::Sender<Result<(), String>>>);

impl Ready {
    /// Only the first word counts; later trouble is for the log.
    pub fn say(&mut self, outcome: Result<(), String>) {
        if let Some(ready) = self.0.take() {
            let _ = ready.send(outcome); // whoever put the link may not wait any more
        }
    }
}
