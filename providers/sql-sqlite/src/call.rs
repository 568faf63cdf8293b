//! One call on its way from its lane to a thread with a connection, and back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

use tokio::{sync::oneshot, time::timeout_at};
use wattle_sql::{Allowance, Error, Rows, Statement, Value};

use crate::guard::Rule;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Work {
    Query(Statement),
    Execute(Statement),
    Batch(Vec<Statement>),
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Done {
    Rows(Rows),
    Changed(Vec<u64>),
    /// A query that would change something: a reader gives it back, for the writer.
    Writes(Statement),
}

/// A call in a queue.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) work: Work,
    pub(crate) rule: Arc<Rule>,
    pub(crate) allowance: Allowance,
    pub(crate) ticket: Arc<Ticket>,
    answer: oneshot::Sender<Result<Done, Error>>,
}

/// Whoever waits for a call's answer. Dropping it gives the call up, wherever it is.
#[derive(Debug)]
pub(crate) struct Waiting {
    ticket: Arc<Ticket>,
    done: oneshot::Receiver<Result<Done, Error>>,
}

impl Call {
    pub(crate) fn new(work: Work, rule: Arc<Rule>, allowance: Allowance) -> (Self, Waiting) {
        let (answer, done) = oneshot::channel();
        let ticket = Arc::new(Ticket::new(allowance.until));
        let waiting = Waiting { ticket: Arc::clone(&ticket), done };
        (Self { work, rule, allowance, ticket, answer }, waiting)
    }

    /// Tells whoever waits, if somebody still does.
    pub(crate) fn answer(self, outcome: Result<Done, Error>) {
        let _ = self.answer.send(outcome); // whoever went away does not want it
    }

    /// About how much memory it takes while it waits.
    pub(crate) fn len(&self) -> usize {
        let value = |value: &Value| size_of::<Value>() + value.encoded_len_max();
        let statement = |statement: &Statement| {
            statement.text.len() + statement.params.iter().map(value).sum::<usize>()
        };
        size_of::<Self>()
            + match &self.work {
                Work::Query(one) | Work::Execute(one) => statement(one),
                Work::Batch(all) => all.iter().map(statement).sum(),
            }
    }
}

impl Waiting {
    /// The answer. What has not begun in time never begins; what has is stopped, and its own answer says what became of it.
    pub(crate) async fn answer(mut self) -> Result<Done, Error> {
        let lost = |_| Err(Error::Other("the statement's thread failed".to_owned()));
        let until = self.ticket.until.into();
        match timeout_at(until, &mut self.done).await {
            Ok(answer) => answer.unwrap_or_else(lost),
            Err(_) if self.ticket.give_up_waiting() => Err(Allowance::timeout()),
            Err(_) => (&mut self.done).await.unwrap_or_else(lost),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ticket.state.store(GONE, Ordering::Relaxed);
    }
}

/// A call as both its ends know it. No memory hangs on its state, so no ordering does.
#[derive(Debug)]
pub(crate) struct Ticket {
    until: Instant,
    state: AtomicU8,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const GONE: u8 = 2;

impl Ticket {
    pub(crate) fn new(until: Instant) -> Self {
        Self { until, state: AtomicU8::new(WAITING) }
    }

    /// Whether it may begin now: nobody gave it up.
    pub(crate) fn begin(&self) -> bool {
        self.leave_waiting_for(RUNNING)
    }

    /// Whether it was still waiting, which ends with this.
    fn give_up_waiting(&self) -> bool {
        self.leave_waiting_for(GONE)
    }

    /// Whether it has to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.state.load(Ordering::Relaxed) == GONE || Instant::now() >= self.until
    }

    fn leave_waiting_for(&self, state: u8) -> bool {
        let (ok, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        self.state.compare_exchange(WAITING, state, ok, failed).is_ok()
    }
}
