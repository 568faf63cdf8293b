//! The trait in its simplest form: answers made of the questions, for what lies between caller and provider.

use std::time::Instant;

use wattle_core::call::PARAMS_LEN_MAX;
use wattle_postgres::{
    Database, PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    wire::{ResultRow, ResultRowEntry},
};

/// Answers a row of the parameters, each under the statement's text; `big` is more than fits in a message.
#[derive(Debug)]
pub(crate) struct Canned;

impl Database for Canned {
    async fn query(
        &self,
        query: &str,
        params: Vec<PgValue>,
        _deadline: Instant,
    ) -> Result<Vec<ResultRow>, QueryError> {
        let entry = |value| ResultRowEntry { column_name: query.to_owned(), value };
        if query == "big" {
            return Ok(vec![vec![entry(PgValue::Text("x".repeat(PARAMS_LEN_MAX)))]]);
        }
        Ok(vec![params.into_iter().take(10).map(entry).collect()])
    }

    async fn query_batch(&self, _query: &str, _deadline: Instant) -> Result<(), QueryError> {
        Ok(())
    }

    async fn prepare(
        &self,
        statement: &str,
        _deadline: Instant,
    ) -> Result<String, StatementPrepareError> {
        Ok(format!("token of {statement}"))
    }

    async fn exec(
        &self,
        token: &str,
        params: Vec<PgValue>,
        _deadline: Instant,
    ) -> Result<u64, PreparedStatementExecError> {
        match token {
            "token of a statement" => Ok(params.len() as u64),
            _ => Err(PreparedStatementExecError::UnknownPreparedQuery),
        }
    }
}
