//! The caller's side: typed functions over anything that carries calls.

use serde::{Serialize, de::DeserializeOwned};
use wattle_core::{
    Operation,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    error::{Failure, malformed_result},
    limit::{check_batch, check_message, check_statement},
    operation,
    wire::{Batch, Changed, Outcome, Rows, Statement, Value},
};

/// Calls a database over one link.
///
/// # Cancel safety
/// Dropping a function's future cancels its call, which may have run.
#[derive(Clone, Debug)]
pub struct Caller<C> {
    call: C,
}

impl<C: Call> Caller<C> {
    /// A caller over what carries its calls.
    pub fn new(call: C) -> Self {
        Self { call }
    }

    /// The rows of one statement.
    pub async fn query(&self, text: &str, params: &[Value]) -> Result<Rows, Failure> {
        self.run(operation::QUERY, &one(text, params)?).await
    }

    /// How many rows one statement changed.
    pub async fn execute(&self, text: &str, params: &[Value]) -> Result<u64, Failure> {
        self.run(operation::EXECUTE, &one(text, params)?).await
    }

    /// Runs several statements in one transaction, and answers how many rows each changed.
    pub async fn batch(&self, statements: Vec<Statement>) -> Result<Changed, Failure> {
        check_batch(statements.len())?;
        for (index, statement) in statements.iter().enumerate() {
            check_statement(statement).map_err(|error| error.of_statement(index))?;
        }
        self.run(operation::BATCH, &Batch { statements }).await
    }

    async fn run<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        let params = codec::encode(params);
        check_message("the parameters", params.len())?;
        let result = self.call.call(operation, params).await?;
        let outcome: Outcome<T> = codec::decode(&result, PARAMS_LEN_MAX)
            .map_err(|error| Failure::Call(malformed_result(&error)))?;
        Ok(outcome?)
    }
}

fn one(text: &str, params: &[Value]) -> Result<Statement, Failure> {
    let statement = Statement::new(text, params.to_vec());
    check_statement(&statement)?;
    Ok(statement)
}
