//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts.

use crate::{PgValue, QueryError};

/// The most bytes of a statement's text, or of a batch's: a quarter of a message, so that parameters have room beside it.
pub const STATEMENT_LEN_MAX: usize = 1024 * 1024;

/// The most parameters of a statement: PostgreSQL's protocol counts them in 16 bits.
pub const PARAMS_MAX: usize = 65_535;

/// The most bytes of memory that a statement's parameters take where they are read, and that the entries of any list do: eight times a
/// message. The longest array that PostgreSQL can answer, of a million empty texts, is within it.
pub const MEMORY_MAX: usize = 32 * 1024 * 1024;

/// The most rows of an answer. Those that have columns fill a message long before; of rows without any, a message of 4 MiB has as
/// many as bytes, and each takes 24 where it is read.
pub const ROWS_MAX: usize = 1_000_000;

/// The most bytes of a prepared statement's token.
pub const TOKEN_LEN_MAX: usize = 64;

/// Fails where this cannot be a statement.
pub fn check_statement(text: &str) -> Result<(), QueryError> {
    if text.contains('\0') {
        let text = "a statement has no character U+0000".to_owned();
        return Err(QueryError::InvalidQuery(text));
    }
    let len = text.len();
    if len > STATEMENT_LEN_MAX {
        return Err(QueryError::InvalidQuery(format!(
            "too-large: statement of {len} bytes, the limit is {STATEMENT_LEN_MAX}: pass values as parameters"
        )));
    }
    Ok(())
}

/// Fails where these cannot be a statement's parameters.
pub fn check_params(params: &[PgValue]) -> Result<(), QueryError> {
    let count = params.len();
    if count > PARAMS_MAX {
        return Err(QueryError::InvalidParams(format!(
            "{count} parameters, the limit is {PARAMS_MAX}: pass arrays"
        )));
    }
    let memory: usize = params.iter().map(PgValue::memory).sum();
    if memory > MEMORY_MAX {
        return Err(QueryError::InvalidParams(format!(
            "too-large: parameters that take {memory} bytes of memory, the limit is {MEMORY_MAX}: pass shorter arrays"
        )));
    }
    Ok(())
}
