//! Answers HTTP with a row of a table, which it queries for (`/query`) or runs a prepared statement for (`/prepared`); and with
//! whether bytes come back from the database as they were (`/same?bytes=N`).

mod bindings {
    #![allow(clippy::all, reason = "generated")]
    wit_bindgen::generate!({ path: "../../../interfaces/postgres/wit", world: "imports", generate_all });
}

use std::time::{SystemTime, UNIX_EPOCH};

use bindings::wasmcloud::postgres::{prepared, query, types::PgValue};
use wattle::{Request, Response, Result};

wattle::http!(serve);

const TEXT: &str = "SELECT id, title, amount FROM entries WHERE id = $1";

/// Rows of the table, as its migration makes them.
const ENTRIES: u32 = 1_000;

fn serve(request: Request) -> Result<Response> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
    let id = [PgValue::Int4((1 + nanos / 1_000 % ENTRIES) as i32)];
    match request.path() {
        "/query" => {
            let rows = query::query(TEXT, &id)?;
            Ok(Response::text(format!("{:?}\n", rows.first().map(|row| &row[1].value))))
        }
        "/prepared" => {
            let token = prepared::prepare(TEXT)?;
            Ok(Response::text(format!("{}\n", prepared::exec(&token, &id)?)))
        }
        "/same" => same(request.query("bytes").unwrap_or_default().parse()?),
        _ => Ok(Response::text("/query, /prepared or /same\n").status(404)),
    }
}

fn same(count: usize) -> Result<Response> {
    let given: Vec<u8> = (0..count).map(|n| n as u8).collect();
    let params = [PgValue::Bytea(given.clone())];
    Ok(match query::query("SELECT $1::bytea", &params) {
        Ok(rows) => match &rows[0][0].value {
            PgValue::Bytea(got) if *got == given => Response::text("the same\n"),
            other => Response::text(format!("{other:?}\n")).status(409),
        },
        Err(error) => Response::text(format!("{error:?}\n")).status(502),
    })
}
