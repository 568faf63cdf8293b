//! Any key-value function, by query: `/kv?op=set&key=a&value=1`, over the link named `link`.

use std::{
    io::{self, Write as _},
    thread,
    time::Duration,
};

use wattle::{
    Error, Request, Response, Result,
    keyvalue::{self, Bucket},
    link,
};

use crate::query;

/// What a key-value store's failure looks like to a test: its own status, and the WIT's name for it.
fn failed(error: &keyvalue::Error) -> Response {
    match error {
        keyvalue::Error::AccessDenied => Response::text("access-denied").status(403),
        keyvalue::Error::NoSuchStore => Response::text("no-such-store").status(404),
        keyvalue::Error::Other(text) => Response::text(format!("other: {text}")).status(502),
    }
}

/// Runs `op`. `keys` takes several keys, separated by commas; `bytes` makes a value of that length.
pub(crate) fn call(request: &Request) -> Result<Response> {
    if let Some(name) = query::text(request, "link")? {
        let interfaces = keyvalue_interfaces();
        if let Err(error) = link::choose(&name, &interfaces) {
            return Ok(Response::text(error.to_string()).status(409));
        }
    }
    let bucket = query::text(request, "bucket")?.unwrap_or_else(|| "default".to_owned());
    match keyvalue::open(&bucket) {
        Ok(bucket) => run(request, &bucket),
        Err(error) => Ok(failed(&error)),
    }
}

fn keyvalue_interfaces() -> [&'static str; 3] {
    ["wasi:keyvalue/store", "wasi:keyvalue/atomics", "wasi:keyvalue/batch"]
}

fn run(request: &Request, bucket: &Bucket) -> Result<Response> {
    let key = query::text(request, "key")?.unwrap_or_default();
    let outcome = match request.query("op").unwrap_or("get") {
        "get" => bucket.get(&key).map(|value| value.map(Response::new)),
        "set" => bucket.set(&key, value(request)?).map(|()| Some(Response::text("set"))),
        "delete" => bucket.delete(&key).map(|()| Some(Response::text("deleted"))),
        "exists" => bucket.exists(&key).map(|exists| Some(Response::text(exists.to_string()))),
        "increment" => bucket
            .increment(&key, query::number(request, "delta", 1)?)
            .map(|sum| Some(Response::text(sum.to_string()))),
        "keys" => bucket.keys().collect::<Result<Vec<_>, _>>().map(|mut keys| {
            keys.sort();
            Some(Response::text(keys.join(",")))
        }),
        "get-many" => bucket.get_many(&keys(request)?).map(|found| Some(listed(found))),
        "set-many" => {
            let value = value(request)?;
            let entries: Vec<_> =
                keys(request)?.into_iter().map(|key| (key, value.clone())).collect();
            bucket.set_many(&entries).map(|()| Some(Response::text("set")))
        }
        "delete-many" => {
            bucket.delete_many(&keys(request)?).map(|()| Some(Response::text("deleted")))
        }
        op => return Err(Error::msg(format!("no such op: {op}"))),
    };
    Ok(match outcome {
        Ok(Some(answer)) => answer,
        Ok(None) => Response::text("no value").status(404),
        Err(error) => failed(&error),
    })
}

fn value(request: &Request) -> Result<Vec<u8>> {
    Ok(match query::number(request, "bytes", 0)? {
        0 => query::text(request, "value")?.unwrap_or_default().into_bytes(),
        bytes => vec![b'x'; bytes as usize],
    })
}

fn keys(request: &Request) -> Result<Vec<String>> {
    let keys = query::text(request, "keys")?.unwrap_or_default();
    Ok(keys.split(',').map(str::to_owned).collect())
}

fn listed(found: Vec<Option<(String, Vec<u8>)>>) -> Response {
    let entries = found.into_iter().map(|entry| match entry {
        Some((key, value)) => format!("{key}={}", String::from_utf8_lossy(&value)),
        None => "-".to_owned(),
    });
    Response::text(entries.collect::<Vec<_>>().join(","))
}

/// The value of `key`, `times` times, each asked for and sent `ms` milliseconds after the one before.
pub(crate) fn drip(request: &Request) -> Result<Response> {
    let key = query::text(request, "key")?.unwrap_or_default();
    let times = query::number(request, "times", 5)?;
    let pause = Duration::from_millis(query::number(request, "ms", 1_000)?);
    let bucket = keyvalue::open("default")?;
    Ok(Response::stream(move |out| {
        for _ in 0..times {
            thread::sleep(pause);
            let value = bucket.get(&key).map_err(|error| io::Error::other(error.to_string()))?;
            out.write_all(&value.unwrap_or_default())?;
        }
        Ok(())
    }))
}

/// The key that is to be set once the answer is out, whatever is asked for.
pub(crate) fn afterwards(request: &Request) -> Result<Option<String>> {
    query::text(request, "afterwards")
}

/// Sets a key.
pub(crate) fn mark(key: &str) -> Result<()> {
    Ok(keyvalue::open("default")?.set(key, "set")?)
}
