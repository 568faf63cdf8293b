//! `wattle:sql`: an actor's statements are calls over its link; what keeps one from its database is an error of the contract's.

use wasmtime::component::Linker;
use wattle_sql::{
    Caller, Error, Failure,
    error::{Violation, ViolationKind},
    wire::{Rows, Statement, Value},
};

use super::WholeInstance;
use crate::actors::instance::{Instance, InstanceCaller};

wasmtime::component::bindgen!({
    path: "../interfaces/sql/wit",
    world: "imports",
    imports: { default: async | trappable },
});

use wattle::sql::sql;

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Instance {
    fn database(&self) -> Caller<InstanceCaller> {
        Caller::new(self.caller.clone())
    }
}

/// What a function answers: its value, or the contract's error.
type Answer<T> = wasmtime::Result<Result<T, sql::Error>>;

fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    Ok(result.map_err(|failure| Error::from(failure).into()))
}

impl sql::Host for &mut Instance {
    async fn query(&mut self, text: String, params: Vec<sql::Value>) -> Answer<sql::Rows> {
        let found = self.database().query(&text, &values(params)).await;
        answer(found.map(sql::Rows::from))
    }

    async fn execute(&mut self, text: String, params: Vec<sql::Value>) -> Answer<u64> {
        answer(self.database().execute(&text, &values(params)).await)
    }

    async fn batch(&mut self, statements: Vec<sql::Statement>) -> Answer<Vec<u64>> {
        let statements = statements.into_iter().map(|statement| {
            let sql::Statement { text, params } = statement;
            Statement { text, params: values(params) }
        });
        answer(self.database().batch(statements.collect()).await)
    }
}

fn values(values: Vec<sql::Value>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}

impl From<sql::Value> for Value {
    fn from(value: sql::Value) -> Self {
        match value {
            sql::Value::Null => Self::Null,
            sql::Value::Boolean(value) => Self::Boolean(value),
            sql::Value::Integer(value) => Self::Integer(value),
            sql::Value::Real(value) => Self::Real(value),
            sql::Value::Text(value) => Self::Text(value),
            sql::Value::Blob(value) => Self::Blob(value),
        }
    }
}

impl From<Value> for sql::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Real(value) => Self::Real(value),
            Value::Text(value) => Self::Text(value),
            Value::Blob(value) => Self::Blob(value),
        }
    }
}

impl From<Rows> for sql::Rows {
    fn from(found: Rows) -> Self {
        let row = |row: wattle_sql::wire::Row| row.0.into_iter().map(sql::Value::from).collect();
        Self { columns: found.columns, rows: found.rows.into_iter().map(row).collect() }
    }
}

impl From<Error> for sql::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(message) => Self::Denied(message),
            Error::Invalid(message) => Self::Invalid(message),
            Error::Constraint(Violation { kind, message }) => {
                Self::Constraint(sql::Violation { kind: kind.into(), message })
            }
            Error::Conflict(message) => Self::Conflict(message),
            Error::Unavailable(message) => Self::Unavailable(message),
            Error::Overloaded(message) => Self::Overloaded(message),
            Error::Interrupted(message) => Self::Interrupted(message),
            Error::Timeout(message) => Self::Timeout(message),
            Error::TooLarge(message) => Self::TooLarge(message),
            Error::Other(message) => Self::Other(message),
        }
    }
}

impl From<ViolationKind> for sql::ViolationKind {
    fn from(kind: ViolationKind) -> Self {
        match kind {
            ViolationKind::Unique => Self::Unique,
            ViolationKind::ForeignKey => Self::ForeignKey,
            ViolationKind::Check => Self::Check,
            ViolationKind::NotNull => Self::NotNull,
            ViolationKind::Other => Self::Other,
        }
    }
}
