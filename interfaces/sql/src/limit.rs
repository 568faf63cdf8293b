//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts. A link may lower each.

#[cfg(feature = "provider")]
mod link;

use wattle_core::call::PARAMS_LEN_MAX;

use crate::{Error, wire::Statement};

#[cfg(feature = "provider")]
pub use link::{LimitError, Limits, TIME_MAX};

/// The most bytes of a statement's text: a page of SQL is 4 KiB, and every byte is parsed and kept with the prepared statement.
pub const STATEMENT_LEN_MAX: usize = 64 * 1024;

/// The most parameters of a statement: SQLite takes 32,766 and PostgreSQL 65,535, a bulk insert of 1,000 rows some ten thousand.
pub const PARAMS_MAX: usize = 10_000;

/// The most parameters of all statements of a batch, so that a message of many tiny ones does not unpack into much memory.
pub const BATCH_PARAMS_MAX: usize = 100_000;

/// The most statements of a batch. All others who write wait for it.
pub const BATCH_MAX: usize = 1_000;

/// The most columns of a result; SQLite's own limit, PostgreSQL's is 1,664.
pub const COLUMNS_MAX: usize = 2_000;

/// The most rows of a result. Whoever wants more asks page by page.
pub const ROWS_MAX: usize = 10_000;

/// The most values of a result: more do not fit into its bytes.
pub const VALUES_MAX: usize = RESULT_LEN_MAX / 4;

/// The most bytes of a result as [`Rows::encoded_len_max`](crate::wire::Rows::encoded_len_max) counts them: what fits into a
/// message beside its envelope.
pub const RESULT_LEN_MAX: usize = PARAMS_LEN_MAX - 1_024;

/// Whether a statement is within the contract's limits, and is one that every database can be given.
pub fn check_statement(statement: &Statement) -> Result<(), Error> {
    check(statement, STATEMENT_LEN_MAX, PARAMS_MAX)
}

/// Whether a batch may have this many statements.
pub fn check_batch(statements: usize) -> Result<(), Error> {
    at_most("statements of a batch", statements, BATCH_MAX)
}

/// Whether parameters or a result fit in a message.
pub(crate) fn check_message(what: &str, len: usize) -> Result<(), Error> {
    at_most(&format!("bytes of {what}"), len, PARAMS_LEN_MAX)
}

fn check(statement: &Statement, len_max: usize, params_max: usize) -> Result<(), Error> {
    at_most("bytes of a statement", statement.text.len(), len_max)?;
    at_most("parameters of a statement", statement.params.len(), params_max)?;
    statement.check_values()
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Error> {
    if count > max {
        return Err(Error::TooLarge(format!("{count} {what}, the limit is {max}")));
    }
    Ok(())
}
