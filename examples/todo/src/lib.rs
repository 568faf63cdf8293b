//! A list of things to do: `GET /` lists them, `POST /` adds the one in its body, `PUT /ID` says that it is done, `DELETE /ID` forgets it.
//! The same statements run on SQLite and on PostgreSQL.

use wattle::{
    Request, Response, Result,
    sql::{self, Value, ViolationKind},
};

wattle::http!(serve);

/// The next number, in words that both databases understand: how each counts by itself is its own.
const ADD: &str = "INSERT INTO todo (id, title) SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS TEXT) FROM todo RETURNING id";

/// How often a number that somebody else took is tried again.
const TRIES_MAX: usize = 20;

/// Bytes of one thing to do.
const TITLE_LEN_MAX: usize = 1_000;

fn serve(request: Request) -> Result<Response> {
    let id = request.path().trim_start_matches('/').parse::<i64>();
    match (request.method().as_str(), id) {
        ("GET", _) if request.path() == "/" => list(),
        ("POST", _) if request.path() == "/" => add(&request),
        ("PUT", Ok(id)) => change("UPDATE todo SET done = TRUE WHERE id = $1", id),
        ("DELETE", Ok(id)) => change("DELETE FROM todo WHERE id = $1", id),
        _ => Ok(Response::text("GET /, POST /, PUT /ID or DELETE /ID\n").status(404)),
    }
}

fn list() -> Result<Response> {
    let found = sql::query("SELECT id, title, done FROM todo ORDER BY id", &[])?;
    let line = |row: &Vec<Value>| {
        let [id, title, done] = row.as_slice() else { return String::new() };
        let mark = if done.as_boolean() == Some(true) { "x" } else { " " };
        let (id, title) =
            (id.as_integer().unwrap_or_default(), title.as_text().unwrap_or_default());
        format!("{id} [{mark}] {title}\n")
    };
    Ok(Response::text(found.rows.iter().map(line).collect::<String>()))
}

fn add(request: &Request) -> Result<Response> {
    let title = String::from_utf8(request.body().bytes(TITLE_LEN_MAX)?)?;
    for _ in 0..TRIES_MAX {
        match sql::query(ADD, &[title.trim().into()]) {
            Ok(added) => {
                let id = added.rows.first().and_then(|row| row.first()).and_then(Value::as_integer);
                return Ok(Response::text(format!("{}\n", id.unwrap_or_default())).status(201));
            }
            // Somebody else took the number at the same time.
            Err(sql::Error::Conflict(_)) => {}
            Err(sql::Error::Constraint(broken)) if broken.kind == ViolationKind::Unique => {}
            Err(sql::Error::Constraint(broken)) => {
                return Ok(Response::text(format!("{}\n", broken.message)).status(422));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Response::text("too many at once: try again\n").status(503))
}

fn change(statement: &str, id: i64) -> Result<Response> {
    match sql::execute(statement, &[id.into()])? {
        0 => Ok(Response::text("no such thing to do\n").status(404)),
        _ => Ok(Response::new("").status(204)),
    }
}
