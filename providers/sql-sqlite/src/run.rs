//! A call's statements on a connection.

use wattle_sql::{Allowance, Error, Statement, verb};

use crate::{
    call::{Call, Done, Work},
    connection::{Running, Session},
    failure::failure,
    guard::Rule,
    parameters::bind,
    rows::gather,
};

/// Runs a query where nothing may change. One that would change something comes back.
pub(crate) fn read(session: &Session, call: &mut Call) -> Result<Done, Error> {
    let Work::Query(statement) = &mut call.work else {
        return Err(Error::Other("only queries are read".to_owned()));
    };
    let running = session.enter(&call.rule, &call.ticket);
    let mut prepared = running.prepare(&call.rule, &statement.text)?;
    if !prepared.readonly() {
        let statement = std::mem::replace(statement, Statement::new("", Vec::new()));
        return Ok(Done::Writes(statement));
    }
    bind(&mut prepared, &statement.params)?;
    let rows = gather(&mut prepared, call.allowance).map_err(|error| running.explained(error))?;
    Ok(Done::Rows(rows))
}

/// Runs what a call asks for, within the transaction that is open.
pub(crate) fn write(session: &Session, call: &Call) -> Result<Done, Error> {
    let Call { rule, ticket, allowance, .. } = call;
    let running = session.enter(rule, ticket);
    let execute = |statement: &Statement| execute(session, &running, rule, statement);
    match &call.work {
        Work::Query(statement) => query(&running, rule, statement, *allowance),
        Work::Execute(statement) => Ok(Done::Changed(vec![execute(statement)?])),
        Work::Batch(statements) => {
            let each = statements.iter().enumerate().map(|(index, statement)| {
                if running.has_to_stop() {
                    return Err(Allowance::timeout());
                }
                execute(statement).map_err(|error| error.of_statement(index))
            });
            Ok(Done::Changed(each.collect::<Result<_, _>>()?))
        }
    }
}

fn query(
    running: &Running<'_>,
    rule: &Rule,
    statement: &Statement,
    allowance: Allowance,
) -> Result<Done, Error> {
    let mut prepared = running.prepare(rule, &statement.text)?;
    bind(&mut prepared, &statement.params)?;
    let rows = gather(&mut prepared, allowance).map_err(|error| running.explained(error))?;
    Ok(Done::Rows(rows))
}

fn execute(
    session: &Session,
    running: &Running<'_>,
    rule: &Rule,
    statement: &Statement,
) -> Result<u64, Error> {
    let mut prepared = running.prepare(rule, &statement.text)?;
    if prepared.column_count() > 0 {
        return Err(Error::Invalid("the statement returns rows: query it".to_owned()));
    }
    bind(&mut prepared, &statement.params)?;
    prepared.raw_execute().map_err(|error| running.explained(failure(error)))?;
    // SQLite tells what the last statement changed that changes rows, and a change of the schema is none.
    if verb::changes_rows(&statement.text) { Ok(session.connection().changes()) } else { Ok(0) }
}
