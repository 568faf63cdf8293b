//! How a connection is left for the next call, or not at all.

use std::{pin::pin, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Error, SimpleQueryMessage};

use super::Session;

/// How long PostgreSQL may take to hear of a cancelled statement, and then to end it. What takes longer is abandoned.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// How often it is told: one that comes ahead of its statement is lost.
const CANCEL_PAUSE: Duration = Duration::from_millis(100);

/// How long putting a session back in order may take. What takes longer is abandoned.
const RESET_WAIT: Duration = Duration::from_secs(2);

/// `DISCARD ALL` in its parts, except for `DEALLOCATE ALL`: it would forget the statements by which the library asks about types,
/// and the library would not know.
const DISCARD: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); \
    DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES";

/// What forgets the statements that callers have prepared, which the library's are not.
const PREPARED_NAMES: &str = "SELECT string_agg(format('DEALLOCATE %I', name), ';') FROM pg_prepared_statements WHERE from_sql";

impl Session {
    /// Undoes what a call may have left in the session: an open transaction, settings, a role, cursors, locks, temporary tables.
    pub(crate) async fn reset(&mut self) -> bool {
        self.statements.clear();
        self.is_in_transaction = false;
        let reset = async {
            self.client.batch_execute("ROLLBACK").await?;
            self.client.batch_execute(DISCARD).await?;
            self.deallocate().await?;
            self.client.clear_type_cache();
            self.prepare_session().await
        };
        matches!(timeout(RESET_WAIT, reset).await, Ok(Ok(())))
    }

    /// Forgets what statements of callers have prepared by name.
    async fn deallocate(&self) -> Result<(), Error> {
        let messages = self.client.simple_query(PREPARED_NAMES).await?;
        let named = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        match named {
            Some(statements) => self.client.batch_execute(statements).await,
            None => Ok(()),
        }
    }

    /// Cancels whatever is under way and closes the connection. It is not used again, because a cancellation that arrives late
    /// would hit the next statement. Answers whether PostgreSQL was heard from.
    pub(crate) async fn cancel(self) -> bool {
        if self.is_closed() {
            return false;
        }
        // Answered only once the statement before it has ended.
        let mut ended = pin!(self.client.simple_query(""));
        let token = self.client.cancel_token();
        let cancel = async {
            loop {
                let _ = token.cancel_query(self.tls.clone()).await;
                tokio::select! {
                    heard = &mut ended => return heard.is_ok(),
                    () = sleep(CANCEL_PAUSE) => {}
                }
            }
        };
        timeout(CANCEL_WAIT, cancel).await.unwrap_or(false)
    }
}
