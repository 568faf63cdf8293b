//! A report at its times: `POST /PAGE` counts a visit in a key-value store, a timer has the counts of all pages written into an
//! object, and `GET /` shows the last report, `GET /all` when there was one.

use wattle::{Request, Response, Result, blobstore, keyvalue, schedule::Tick};

wattle::http!(serve);
wattle::schedule!(report);

const VISITS: &str = "default";
const REPORTS: &str = "reports";

/// The report that `GET /` shows.
const LATEST: &str = "latest";
/// What the names of all others begin with; when they were due follows.
const REPORT: &str = "report-";

/// What the keys of pages begin with.
const PAGE: &str = "page.";
/// How many reports were begun.
const BEGUN: &str = "reports";

fn serve(request: Request) -> Result<Response> {
    match (request.method().as_str(), request.path()) {
        ("POST", page) => {
            keyvalue::open(VISITS)?.increment(&key(page), 1)?;
            Ok(Response::text("counted\n").status(202))
        }
        ("GET", "/") => latest(),
        ("GET", "/all") => all(),
        _ => {
            Ok(Response::text("POST /PAGE counts a visit, GET / shows the last report\n")
                .status(405))
        }
    }
}

/// Called once for each time that is due, on whichever host it is.
fn report(tick: Tick) -> Result<()> {
    let visits = keyvalue::open(VISITS)?;
    let number = visits.increment(BEGUN, 1)?;
    let Tick { due_ms, missed, attempt, .. } = tick;
    let mut text = format!("report {number}, due {due_ms}, missed {missed}, attempt {attempt}\n");
    for key in visits.keys().collect::<Result<Vec<_>, _>>()? {
        if let Some(page) = key.strip_prefix(PAGE) {
            let count = visits.increment(&key, 0)?;
            text.push_str(&format!("{count} {page}\n"));
        }
    }
    let reports = blobstore::open_or_create(REPORTS)?;
    reports.put(&format!("{REPORT}{due_ms}"), text.as_bytes())?;
    reports.put(LATEST, text.as_bytes())?;
    Ok(())
}

fn latest() -> Result<Response> {
    let reports = blobstore::open_or_create(REPORTS)?;
    if !reports.has(LATEST)? {
        return Ok(Response::text("no report yet\n").status(404));
    }
    let size = reports.info(LATEST)?.size;
    Ok(Response::new(reports.read(LATEST)?.bytes(usize::try_from(size)?)?))
}

fn all() -> Result<Response> {
    let names = blobstore::open_or_create(REPORTS)?.names()?;
    let due = names.iter().filter_map(|name| name.strip_prefix(REPORT));
    Ok(Response::text(due.map(|due| format!("{due}\n")).collect::<String>()))
}

/// A page's key: its path, with dots between its parts.
fn key(page: &str) -> String {
    format!("{PAGE}{}", page.trim_matches('/').replace('/', "."))
}
