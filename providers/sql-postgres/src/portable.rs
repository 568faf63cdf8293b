//! The portable contract, `wattle:sql`, over the same pool: each call is a transaction.

use tokio::time::Instant;
use wattle_postgres::{
    PgValue, QueryError,
    error::{INTERRUPTED, OVERLOADED, TIMEOUT, TOO_LARGE, UNAVAILABLE},
    float::{from_f64, to_f32, to_f64},
    wire::ResultRow,
};
use wattle_sql::{
    Allowance, Database, Error, Gathering, Rows, Statement, Value, ViolationKind, wire::Changed,
};

use crate::{
    Settings,
    database::{leaves, memory},
    fault::Fault,
    pool::{Left, Pool, within},
    session::{Columns, Reading, Session},
    statements::Doubt,
};

/// One link's database, as the portable contract sees it.
pub struct PortableDatabase {
    pool: Pool,
}

impl PortableDatabase {
    /// Connects in the background. Fails where the settings' TLS cannot be set up.
    pub async fn start(settings: Settings) -> Result<Self, String> {
        Ok(Self { pool: Pool::start(settings).await? })
    }

    /// Why PostgreSQL refuses this login, if it does. Waits for the first attempt to connect.
    pub async fn refusal(&self) -> Option<String> {
        self.pool.refusal().await
    }

    /// Runs something in a transaction of its own, which is taken back unless all of it succeeds; once more where what was prepared
    /// is out of date, as nothing of it is left then.
    async fn transaction<W: Work>(
        &self,
        allowance: Allowance,
        left: Left,
        work: &W,
    ) -> Result<W::Answer, Error> {
        let end = Instant::from_std(allowance.until);
        let lease = within(end, self.pool.checkout(work.memory())).await;
        let lease = lease.ok_or_else(Allowance::timeout)?;
        let mut lease = lease.map_err(portable)?;
        let session = lease.start();
        let mut is_committing = false;
        let whole = async {
            session.begin().await?;
            let value = match work.run(session).await {
                Err(Failed { error, doubt: Some(doubt), .. }) => {
                    session.rollback().await?;
                    // What cannot be prepared any more fails again, as the statement that it is.
                    if let Ok(false) = session.was_out_of_date(&doubt).await {
                        return Err(Failed::settled(error));
                    }
                    session.begin().await?;
                    work.run(session).await?
                }
                done => done?,
            };
            is_committing = true;
            session.commit().await?;
            Ok::<_, Failed>(value)
        };
        match within(end, whole).await {
            None if is_committing => Err(unknown()),
            None => Err(Allowance::timeout()),
            Some(Ok(value)) => {
                lease.leave(left);
                Ok(value)
            }
            Some(Err(Failed { error, is_settled, .. })) => {
                if is_settled {
                    lease.leave(Left::Changed); // which rolls back
                }
                Err(error)
            }
        }
    }
}

impl Database for PortableDatabase {
    async fn query(&self, statement: Statement, allowance: Allowance) -> Result<Rows, Error> {
        let look = Look { statement: Change::from(statement), allowance };
        self.transaction(allowance, leaves(&look.statement.text), &look).await
    }

    async fn execute(&self, statement: Statement, allowance: Allowance) -> Result<u64, Error> {
        let change = Change::from(statement);
        self.transaction(allowance, leaves(&change.text), &change).await
    }

    async fn batch(
        &self,
        statements: Vec<Statement>,
        allowance: Allowance,
    ) -> Result<Changed, Error> {
        let changes: Vec<_> = statements.into_iter().map(Change::from).collect();
        let in_order = changes.iter().all(|change| leaves(&change.text) == Left::InOrder);
        let left = if in_order { Left::InOrder } else { Left::Changed };
        self.transaction(allowance, left, &changes).await
    }
}

/// What a call does in its transaction. It may have to be done again from the start.
trait Work: Sync {
    type Answer: Send;

    /// How much memory it takes while it waits.
    fn memory(&self) -> usize;

    fn run(
        &self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Self::Answer, Failed>> + Send;
}

/// A query, with what it may answer.
struct Look {
    statement: Change,
    allowance: Allowance,
}

/// A statement as it is sent.
struct Change {
    text: String,
    params: Vec<PgValue>,
}

impl From<Statement> for Change {
    fn from(Statement { text, params }: Statement) -> Self {
        Self { text, params: values(params) }
    }
}

impl Work for Look {
    type Answer = Rows;

    fn memory(&self) -> usize {
        self.statement.memory()
    }

    async fn run(&self, session: &mut Session) -> Result<Rows, Failed> {
        let Self { statement: Change { text, params }, allowance } = self;
        let reading = Reading::portable(allowance.rows_max, allowance.result_len_max);
        let (columns, rows) = session.query(text, params, &reading).await?;
        gathered(columns, rows, *allowance).map_err(Failed::settled)
    }
}

impl Work for Change {
    type Answer = u64;

    fn memory(&self) -> usize {
        memory(&self.text, &self.params)
    }

    async fn run(&self, session: &mut Session) -> Result<u64, Failed> {
        if !session.prepare(&self.text).await?.columns().is_empty() {
            let text = "the statement answers rows: run it as a query".to_owned();
            return Err(Failed::settled(Error::Invalid(text)));
        }
        Ok(session.execute(&self.text, &self.params).await?)
    }
}

impl Work for Vec<Change> {
    type Answer = Changed;

    fn memory(&self) -> usize {
        self.iter().map(Change::memory).sum()
    }

    async fn run(&self, session: &mut Session) -> Result<Changed, Failed> {
        let mut changed = Vec::with_capacity(self.len());
        for (index, change) in self.iter().enumerate() {
            let done = change.run(session).await;
            changed.push(done.map_err(|failed| failed.of_statement(index))?);
        }
        Ok(changed)
    }
}

/// The time was over while PostgreSQL was at the end of the transaction.
fn unknown() -> Error {
    let text = "the time was over while the transaction was committed: it may have been";
    Error::Interrupted(text.to_owned())
}

/// Why a transaction was not made, whether its connection can be put in order, and what may have been out of date, so that it has to
/// begin again.
struct Failed {
    error: Error,
    is_settled: bool,
    doubt: Option<Doubt>,
}

impl Failed {
    fn settled(error: Error) -> Self {
        Self { error, is_settled: true, doubt: None }
    }

    fn of_statement(self, index: usize) -> Self {
        Self { error: self.error.of_statement(index), ..self }
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let is_settled = !matches!(fault, Fault::Unsettled(_));
        let (error, doubt) = match fault {
            Fault::Settled(error) | Fault::Unsettled(error) => (error, None),
            Fault::Stale(error, doubt) => (error, Some(doubt)),
        };
        Self { error: portable(error), is_settled, doubt }
    }
}

/// The portable contract's kind for an error, by its SQLSTATE or our own word.
fn portable(error: QueryError) -> Error {
    let text = error.text().to_owned();
    let code = error.code().unwrap_or_default().to_owned();
    match code.as_str() {
        UNAVAILABLE => Error::Unavailable(text),
        OVERLOADED => Error::Overloaded(text),
        TIMEOUT | "57014" => Error::Timeout(text),
        TOO_LARGE => Error::TooLarge(text),
        INTERRUPTED => Error::Interrupted(text),
        "23505" => Error::violation(ViolationKind::Unique, text),
        "23503" => Error::violation(ViolationKind::ForeignKey, text),
        "23514" => Error::violation(ViolationKind::Check, text),
        "23502" => Error::violation(ViolationKind::NotNull, text),
        "42501" => Error::Denied(text),
        "55P03" => Error::Conflict(text),
        _ if code.starts_with("23") => Error::violation(ViolationKind::Other, text),
        _ if code.starts_with("40") => Error::Conflict(text),
        _ => match error {
            QueryError::InvalidParams(text) | QueryError::InvalidQuery(text) => {
                Error::Invalid(text)
            }
            QueryError::Unexpected(text) => Error::Other(text),
        },
    }
}

fn values(params: Vec<Value>) -> Vec<PgValue> {
    let value = |param| match param {
        Value::Null => PgValue::Null,
        Value::Boolean(is) => PgValue::Bool(is),
        Value::Integer(number) => PgValue::Int8(number),
        Value::Real(number) => PgValue::Float8(from_f64(number)),
        Value::Text(text) => PgValue::Text(text),
        Value::Blob(bytes) => PgValue::Bytea(bytes.into()),
    };
    params.into_iter().map(value).collect()
}

fn gathered(columns: Columns, rows: Vec<ResultRow>, allowance: Allowance) -> Result<Rows, Error> {
    let mut gathering = Gathering::new(columns, allowance)?;
    for row in rows {
        let row = row.into_iter().map(|entry| value(entry.value)).collect::<Result<_, _>>()?;
        gathering.push(row)?;
    }
    Ok(gathering.finish())
}

/// What was read [portably](Reading::portable) is one of these.
fn value(value: PgValue) -> Result<Value, Error> {
    Ok(match value {
        PgValue::Null => Value::Null,
        PgValue::Bool(is) => Value::Boolean(is),
        PgValue::Int2(number) => Value::Integer(number.into()),
        PgValue::Int4(number) => Value::Integer(number.into()),
        PgValue::Int8(number) => Value::Integer(number),
        PgValue::Float4(number) => Value::Real(to_f32(number).map_or(f64::NAN, f64::from)),
        PgValue::Float8(number) => Value::Real(to_f64(number).unwrap_or(f64::NAN)),
        PgValue::Bytea(bytes) => Value::Blob(bytes.into_vec()),
        PgValue::Text(text) => Value::Text(text),
        other => return Err(Error::Other(format!("a value that came as {}", other.name()))),
    })
}
