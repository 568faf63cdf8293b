//! SQLite's errors in the contract's words: the one place where one becomes the other.

use rusqlite::{Error as SqliteError, ErrorCode, ffi};
use wattle_sql::{Allowance, Error, ViolationKind};

/// What a statement failed with.
pub(crate) fn failure(error: SqliteError) -> Error {
    match error {
        SqliteError::Empty => Error::Invalid("there is no statement".to_owned()),
        SqliteError::MultipleStatement => {
            Error::Invalid("more than one statement: a batch takes several".to_owned())
        }
        SqliteError::SqlInputError { error, msg, .. } => of_code(error, msg),
        SqliteError::SqliteFailure(error, message) => {
            of_code(error, message.unwrap_or_else(|| error.to_string()))
        }
        other => Error::Other(other.to_string()),
    }
}

fn of_code(error: ffi::Error, message: String) -> Error {
    match error.code {
        ErrorCode::ConstraintViolation => violation(error.extended_code, message),
        ErrorCode::OperationInterrupted => Allowance::timeout(),
        ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly => Error::Denied(message),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::Conflict("another process, or a migration, holds the database".to_owned())
        }
        ErrorCode::TooBig => Error::TooLarge(message),
        ErrorCode::OutOfMemory => {
            Error::TooLarge("it needs more memory than this provider has for statements".to_owned())
        }
        ErrorCode::DiskFull => Error::Unavailable(format!("no room is left: {message}")),
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::FileLockingProtocolFailed => {
            Error::Unavailable(format!("the disk: {message}"))
        }
        ErrorCode::Unknown if is_refusal(&message) => Error::Denied(message),
        ErrorCode::Unknown
        | ErrorCode::TypeMismatch
        | ErrorCode::ParameterOutOfRange
        | ErrorCode::SchemaChanged => Error::Invalid(message),
        _ => Error::Other(message),
    }
}

/// Changes of SQLite's own tables are refused ahead of asking anybody, with no code of their own.
fn is_refusal(message: &str) -> bool {
    const ENDS: &[&str] = &[
        " may not be modified",
        " may not be indexed",
        " may not be dropped",
        " may not be altered",
    ];
    ENDS.iter().any(|end| message.ends_with(end))
        || message.starts_with("object name reserved for internal use")
        || message.starts_with("cannot create trigger on system table")
}

fn violation(code: i32, message: String) -> Error {
    let kind = match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => ViolationKind::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ViolationKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => ViolationKind::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ViolationKind::NotNull,
        // A STRICT table was given a value of another kind, which is what other databases call a wrong parameter.
        ffi::SQLITE_CONSTRAINT_DATATYPE => return Error::Invalid(message),
        _ => ViolationKind::Other,
    };
    Error::violation(kind, message)
}

/// What the end of a transaction failed with. Where the disk failed, nobody knows whether it holds the change.
pub(crate) fn commit_failure(error: SqliteError) -> Error {
    match failure(error) {
        Error::Unavailable(message) => Error::Interrupted(message),
        other => other,
    }
}
