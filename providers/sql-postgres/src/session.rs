//! One connection to PostgreSQL: what runs on it, and how it is left for the next call.

mod answer;
mod order;

use std::{pin::pin, sync::Arc};

use futures::{StreamExt, TryStreamExt};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Error, RowStream, SimpleQueryMessage, Statement, types::Type};
use tokio_postgres_rustls::MakeRustlsConnect;
use wattle_postgres::{PgValue, QueryError, wire::ResultRow};

use self::answer::{Answer, Foreign, check, explained};
pub(crate) use self::answer::{Columns, Reading};
use crate::{
    decode::Decoder,
    encode::{Param, encode},
    fault::{self, Fault},
    pool::Lane,
    settings::Settings,
    statements::{Doubt, Statements},
};

/// PostgreSQL looks after its client this often while a statement runs, from version 14 on, so that a statement whose caller is
/// gone ends even where nobody could cancel it.
const WATCH_CLIENT: &str = "SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";

/// How many digits money has behind its point, which the server's locale decides.
const MONEY_SCALE: &str = "SELECT scale(0::money::numeric)";

/// Digits of money where the server does not say.
const MONEY_SCALE_DEFAULT: u32 = 2;

/// The most digits of money that we believe in; currencies have up to four.
const MONEY_SCALE_MAX: u32 = 6;

/// Values that are asked for as text in one statement.
const TEXTS_MAX: usize = 500;

/// A connection, with nothing under way on it when it is made.
pub(crate) struct Session {
    client: Client,
    _driver: Driver,
    tls: MakeRustlsConnect,
    statements: Statements,
    money_scale: u32,
    is_in_transaction: bool,
    lane: Arc<Lane>,
}

impl Session {
    /// Connects and logs in. The connection is driven on the calling thread's runtime.
    pub(crate) async fn open(
        settings: &Settings,
        tls: &MakeRustlsConnect,
        lane: Arc<Lane>,
    ) -> Result<Self, Error> {
        let (client, connection) = settings.postgres.connect(tls.clone()).await?;
        let driver = tokio::spawn(async move {
            // Its end shows in whatever uses the client.
            let _ = connection.await;
        });
        let mut session = Self {
            client,
            _driver: Driver(driver.abort_handle()),
            tls: tls.clone(),
            statements: Statements::default(),
            money_scale: MONEY_SCALE_DEFAULT,
            is_in_transaction: false,
            lane,
        };
        session.prepare_session().await?;
        Ok(session)
    }

    async fn prepare_session(&mut self) -> Result<(), Error> {
        answered(self.client.simple_query(WATCH_CLIENT).await)?;
        if let Some(messages) = answered(self.client.simple_query(MONEY_SCALE).await)? {
            self.money_scale = first_number(&messages).unwrap_or(MONEY_SCALE_DEFAULT);
        }
        Ok(())
    }

    /// For what is not a caller's statement. Whoever changes the session by it [resets](Self::reset) it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The lane that drives it.
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs one statement and gives its columns and rows.
    pub(crate) async fn query(
        &mut self,
        text: &str,
        params: &[PgValue],
        reading: &Reading,
    ) -> Result<(Columns, Vec<ResultRow>), Fault> {
        let (statement, rows) = self.run(text, params).await?;
        let mut answer = self.read(&statement, rows, reading).await?;
        self.fill_in_texts(&statement, &mut answer, reading).await?;
        let columns = statement.columns().iter().map(|column| column.name().to_owned());
        Ok((columns.collect(), answer.rows))
    }

    /// Runs one statement and gives how many rows it changed, or would give.
    pub(crate) async fn execute(&mut self, text: &str, params: &[PgValue]) -> Result<u64, Fault> {
        let (_, rows) = self.run(text, params).await?;
        let mut rows = pin!(rows);
        while rows.try_next().await?.is_some() {}
        Ok(rows.rows_affected().unwrap_or(0))
    }

    /// Runs several statements.
    pub(crate) async fn batch(&mut self, text: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(text).await?)
    }

    /// Begins a transaction, which ends with [`commit`](Self::commit) or with [`rollback`](Self::rollback).
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        self.batch("BEGIN").await?;
        self.is_in_transaction = true;
        Ok(())
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Fault> {
        self.batch("COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), Fault> {
        self.batch("ROLLBACK").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Prepares a statement, or finds that it cannot be.
    pub(crate) async fn prepare(&mut self, text: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement);
        }
        let statement = self.client.prepare(text).await.map_err(|error| {
            // Somebody has deallocated what the library asks about types with: this connection is of no use any more.
            if fault::is_stale(&error) {
                Fault::Unsettled(fault::judge(error))
            } else {
                error.into()
            }
        })?;
        self.statements.keep(text, statement.clone());
        Ok(statement)
    }

    /// Whether a statement was out of date when it was refused, which shows when it is prepared again.
    pub(crate) async fn was_out_of_date(&mut self, doubt: &Doubt) -> Result<bool, Fault> {
        let now = self.prepare(&doubt.text).await?;
        Ok(doubt.is_borne_out_by(&now))
    }

    /// Starts a statement; once more where what was prepared is out of date, as it did not run then.
    async fn run(
        &mut self,
        text: &str,
        params: &[PgValue],
    ) -> Result<(Statement, RowStream), Fault> {
        let kept = self.statements.get(text);
        let was_kept = kept.is_some();
        let statement = match kept {
            Some(statement) => statement,
            None => self.prepare(text).await?,
        };
        let refused = match self.start(&statement, params).await {
            Ok(rows) => return Ok((statement, rows)),
            Err(refused) => refused,
        };
        let is_stale = refused.is_stale();
        if refused.is_lost() || !(was_kept || is_stale) {
            return Err(refused.into_fault(&statement));
        }
        self.statements.forget(text);
        let is_aborted = self.is_in_transaction && matches!(refused, Refused::There(_));
        let error = refused.into_fault(&statement).into_error();
        let doubt = Doubt { text: text.to_owned(), statement: (!is_stale).then_some(statement) };
        if is_aborted {
            return Err(Fault::Stale(error, doubt));
        }
        if !self.was_out_of_date(&doubt).await? {
            return Err(Fault::Settled(error));
        }
        let statement = self.prepare(text).await?;
        match self.start(&statement, params).await {
            Ok(rows) => Ok((statement, rows)),
            Err(refused) => Err(refused.into_fault(&statement)),
        }
    }

    /// Starts a statement as it is prepared. What fails here did not run: the library answers with rows from when PostgreSQL has taken
    /// the parameters, and what goes wrong afterwards comes with them.
    async fn start(&self, statement: &Statement, params: &[PgValue]) -> Result<RowStream, Refused> {
        let encoded = self.encode(statement, params).map_err(Refused::Here)?;
        self.client.query_raw(statement, encoded).await.map_err(Refused::There)
    }

    fn encode(&self, statement: &Statement, params: &[PgValue]) -> Result<Vec<Param>, QueryError> {
        let types = statement.params();
        if types.len() != params.len() {
            let text = format!("{} parameters, the statement takes {}", params.len(), types.len());
            return Err(QueryError::InvalidParams(text));
        }
        let numbered = (1..).zip(params.iter().zip(types));
        let encoded = numbered.map(|(n, (value, ty))| {
            encode(value, ty, self.money_scale)
                .map_err(|fault| QueryError::InvalidParams(format!("parameter ${n}: {fault}")))
        });
        encoded.collect()
    }

    /// Reads rows up to the limits. What cannot be told in the contract's values is found out early and said at the end, when
    /// the connection is free again.
    async fn read(
        &self,
        statement: &Statement,
        rows: RowStream,
        reading: &Reading,
    ) -> Result<Answer, Fault> {
        let names = statement.columns().iter().map(|column| column.name().len());
        let names: usize = if reading.is_portable { 0 } else { names.sum() };
        let decoder = Decoder::new(self.money_scale, reading.is_portable);
        let (mut answer, mut len, mut read, mut wrong) = (Answer::default(), 0, 0, None);
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| explained(error, statement))?;
            read += 1;
            len += row.raw_size_bytes() + names;
            check("rows", read, reading.rows)?;
            check("bytes of rows", len, reading.bytes)?;
            if wrong.is_none() {
                wrong = answer.add(&decoder, &row).err();
            }
        }
        wrong.map_or(Ok(answer), |error| Err(Fault::Settled(error)))
    }

    /// Has PostgreSQL write out, as text, what is of a type that the contract does not have.
    async fn fill_in_texts(
        &self,
        statement: &Statement,
        answer: &mut Answer,
        reading: &Reading,
    ) -> Result<(), Fault> {
        let (mut foreign, mut len) = (std::mem::take(&mut answer.foreign), 0);
        foreign.sort_by_key(|value| value.column);
        for values in foreign.chunk_by(|a, b| a.column == b.column) {
            let column = &statement.columns()[values[0].column];
            for some in values.chunks(TEXTS_MAX) {
                let texts = self.texts(column.type_(), some).await.map_err(|fault| {
                    let what = format!(
                        "column {:?} is of type {}, which cannot be read: cast it",
                        column.name(),
                        column.type_()
                    );
                    fault.explained(&what)
                })?;
                len += texts.iter().map(String::len).sum::<usize>();
                // All that was asked for has been read.
                check("bytes of rows", len, reading.bytes)
                    .map_err(|fault| Fault::Settled(fault.into_error()))?;
                for (value, text) in some.iter().zip(texts) {
                    answer.rows[value.row][value.column].value = match *column.type_() {
                        Type::TSQUERY if !reading.is_portable => PgValue::TsQuery(text),
                        _ => PgValue::Text(text),
                    };
                }
            }
        }
        Ok(())
    }

    async fn texts(&self, ty: &Type, values: &[Foreign]) -> Result<Vec<String>, Fault> {
        let casts: Vec<_> = (1..=values.len()).map(|n| format!("${n}::text")).collect();
        let text = format!("SELECT ARRAY[{}]", casts.join(","));
        let statement = self.client.prepare_typed(&text, &vec![ty.clone(); values.len()]).await?;
        let params: Vec<_> =
            values.iter().map(|value| Param::binary(value.bytes.clone())).collect();
        let mut rows = pin!(self.client.query_raw(&statement, params).await?);
        let row = rows.try_next().await?;
        let texts = row.map(|row| row.try_get(0)).transpose()?;
        while rows.try_next().await?.is_some() {}
        Ok(texts.unwrap_or_default())
    }
}

/// Why a statement was not started.
enum Refused {
    /// Its parameters are not what it takes. PostgreSQL has not heard of it.
    Here(QueryError),
    /// PostgreSQL said so, or the connection broke.
    There(Error),
}

impl Refused {
    /// Whether PostgreSQL itself says that it is out of date.
    fn is_stale(&self) -> bool {
        matches!(self, Self::There(error) if fault::is_stale(error))
    }

    /// Whether the connection is of no use any more.
    fn is_lost(&self) -> bool {
        matches!(self, Self::There(error) if !fault::is_settled(error))
    }

    fn into_fault(self, statement: &Statement) -> Fault {
        match self {
            Self::Here(error) => Fault::Settled(error),
            Self::There(error) => explained(error, statement),
        }
    }
}

/// The task that reads and writes a connection. It ends with whoever holds this, whether or not the server still answers; the
/// server sees the end of the connection.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A server that does not know the question is no reason to give up on it.
fn answered<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if fault::is_settled(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn first_number(messages: &[SimpleQueryMessage]) -> Option<u32> {
    messages
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        })
        .filter(|scale| *scale <= MONEY_SCALE_MAX)
}
