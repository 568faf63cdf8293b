//! `wasmcloud:postgres`: an actor's statements are calls over its link. What keeps one from its database is an error of the contract's
//! where that has a word for it; a denial, for which it has none, ends the actor.

#[cfg(test)]
mod tests;
mod tokens;
mod values;

use bytes::Bytes;
use wasmtime::component::Linker;
use wattle_core::{CallError, Operation, call::Call};
use wattle_postgres::{
    Caller, Failure, PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    operation,
};

pub(crate) use self::tokens::PreparedTokens;
use self::values::Across;
use super::WholeInstance;
use crate::actors::{
    background::leave_the_lane,
    bridge::ImportFailed,
    instance::{Instance, InstanceCaller},
};

wasmtime::component::bindgen!({
    path: "../interfaces/postgres/wit",
    world: "imports",
    imports: { default: async | trappable },
});

use wasmcloud::postgres::{prepared, query, types};

/// What has an adapter here. Other versions go over the bridge, and so does what an actor exports that stands for a database.
pub(super) const INTERFACES: [&str; 3] = [
    "wasmcloud:postgres/types@0.1.1-draft",
    "wasmcloud:postgres/query@0.1.1-draft",
    "wasmcloud:postgres/prepared@0.1.1-draft",
];

/// Bytes of parameters or of an answer that become values, or are made of them, on a lane: half a millisecond's worth where they are
/// numbers, with some 15 ns for each byte, and next to nothing where they are text.
const LANE_BYTES_MAX: usize = 32 * 1024;

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

/// The way of an instance's statements, which leaves the lane with what is much.
struct Way<'a>(&'a InstanceCaller);

impl Call for Way<'_> {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        let is_much = |bytes: usize| bytes > LANE_BYTES_MAX;
        if is_much(params.len()) {
            self.0.freight().carried_much();
        }
        let result = self.0.call(operation.interface, operation.function, params).await?;
        if is_much(result.len()) {
            leave_the_lane().await;
        }
        Ok(result)
    }
}

impl<'a> Way<'a> {
    fn postgres(&self) -> Caller<Way<'a>> {
        Caller::new(Way(self.0))
    }

    /// The token of a statement: what this actor was given for it before, where it still may prepare, else what the provider gives.
    async fn token(&self, statement: &str) -> Result<String, Failure<StatementPrepareError>> {
        let (link, prepared) = (self.link(operation::PREPARE)?, &self.0.actor.prepared);
        if let Some(token) = prepared.token(link, statement) {
            return Ok(token.to_string());
        }
        let token = self.postgres().prepare(statement).await?;
        prepared.keep(link, statement, &token);
        Ok(token)
    }

    /// Runs what a token stands for. One that the provider does not know any more, as after a restart, is asked for again: nothing ran.
    async fn exec(
        &self,
        token: &str,
        params: &[PgValue],
    ) -> Result<u64, Failure<PreparedStatementExecError>> {
        let (link, prepared) = (self.link(operation::EXEC)?, &self.0.actor.prepared);
        let Some(statement) = prepared.statement(link, token) else {
            return self.postgres().exec(token, params).await;
        };
        if let Some(token) = prepared.token(link, &statement) {
            match self.postgres().exec(&token, params).await {
                Err(Failure::Database(PreparedStatementExecError::UnknownPreparedQuery)) => {
                    prepared.forget(link, &token);
                }
                ran => return ran,
            }
        }
        let token = self.token(&statement).await.map_err(|failure| match failure {
            Failure::Database(StatementPrepareError::Unexpected(text)) => {
                Failure::Database(QueryError::Unexpected(text).into())
            }
            Failure::Call(error) => Failure::Call(error),
        })?;
        self.postgres().exec(&token, params).await
    }

    /// The number of the link that a statement would take, if it may.
    fn link<E: std::error::Error>(&self, operation: Operation) -> Result<u32, Failure<E>> {
        self.0.link(operation).map_err(Failure::Call)
    }
}

impl Instance {
    fn way(&self) -> Way<'_> {
        Way(&self.caller)
    }
}

/// What a function answers: its value, or the contract's error.
type Answer<T, E> = wasmtime::Result<Result<T, E>>;

fn answer<T, E, W>(operation: Operation, result: Result<T, Failure<E>>) -> Answer<T, W>
where
    E: std::error::Error + From<QueryError> + Across<W>,
{
    let Operation { interface, function } = operation;
    match result.map_err(Failure::into_words) {
        Ok(value) => Ok(Ok(value)),
        Err(Ok(error)) => Ok(Err(error.across())),
        Err(Err(error)) => Err(ImportFailed::new(interface, function, error).into()),
    }
}

impl types::Host for &mut Instance {}

impl query::Host for &mut Instance {
    async fn query(
        &mut self,
        query: String,
        params: Vec<types::PgValue>,
    ) -> Answer<Vec<types::ResultRow>, types::QueryError> {
        let params: Vec<PgValue> = params.across();
        let rows = self.way().postgres().query(&query, &params).await;
        answer(operation::QUERY, rows.map(Across::across))
    }

    async fn query_batch(&mut self, query: String) -> Answer<(), types::QueryError> {
        answer(operation::QUERY_BATCH, self.way().postgres().query_batch(&query).await)
    }
}

impl prepared::Host for &mut Instance {
    async fn prepare(&mut self, statement: String) -> Answer<String, types::StatementPrepareError> {
        answer(operation::PREPARE, self.way().token(&statement).await)
    }

    async fn exec(
        &mut self,
        stmt_token: String,
        params: Vec<types::PgValue>,
    ) -> Answer<u64, types::PreparedStatementExecError> {
        let params: Vec<PgValue> = params.across();
        answer(operation::EXEC, self.way().exec(&stmt_token, &params).await)
    }
}
