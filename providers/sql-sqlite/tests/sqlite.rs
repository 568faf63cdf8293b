//! The provider against real files: the contract, what a crash leaves, what nobody may, and who waits for whom.

#[path = "../../sql-postgres/tests/postgres/beside.rs"]
mod beside;
#[path = "sqlite/denials.rs"]
mod denials;
#[path = "sqlite/files.rs"]
mod files;
#[path = "sqlite/link.rs"]
mod link;
#[path = "sqlite/log.rs"]
mod log;
#[path = "sqlite/migrations.rs"]
mod migrations;
#[path = "sqlite/neighbours.rs"]
mod neighbours;
#[path = "sqlite/process.rs"]
mod process;
#[path = "sqlite/processes.rs"]
mod processes;
#[path = "sqlite/transactions.rs"]
mod transactions;

use wattle_core::call::Call;
use wattle_sql::{
    Caller, Error, Failure, Value,
    conformance::{self, Abilities},
};

const ABILITIES: Abilities = Abilities { access: true, tables: true };

#[tokio::test]
async fn sql_sqlite_keeps_wattle_sql() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = link::callers(link::file(dir.path()));
    conformance::run(async |constraints, settings| caller(constraints, settings), ABILITIES).await;
}

/// What a statement that works changed.
async fn execute<C: Call>(sql: &Caller<C>, text: &str) -> u64 {
    sql.execute(text, &[]).await.unwrap_or_else(|failure| panic!("{text}: {failure:?}"))
}

/// The one number that a query finds.
async fn number<C: Call>(sql: &Caller<C>, text: &str) -> i64 {
    let rows = sql.query(text, &[]).await.unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
    match rows.rows.first().map(|row| &row.0[..]) {
        Some([Value::Integer(number)]) => *number,
        other => panic!("{text}: {other:?}"),
    }
}

/// How a statement fails that does not work.
fn error<T>(answer: Result<T, Failure>) -> Error {
    match answer {
        Err(Failure::Sql(error)) => error,
        Err(Failure::Call(error)) => panic!("not an answer but {error:?}"),
        Ok(_) => panic!("it was taken"),
    }
}
