//! Links as the host puts them, with the encoding in between.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use wattle_core::{CallError, Constraints, Operation, call::Call, link::Settings};
use wattle_sql::{Caller, Limits, Links, Scope};
use wattle_sql_sqlite::{File, SqliteDatabase};

/// How long each call may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// How far a test's file may grow, in bytes.
pub(crate) const LEN_MAX: u64 = 64 * 1024 * 1024;

/// A link to a database, by number.
#[derive(Clone)]
pub(crate) struct Link {
    links: Arc<Links<SqliteDatabase>>,
    number: u32,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        let deadline = Instant::now() + DEADLINE;
        let answer = self.links.dispatch(self.number, interface, function, &params, deadline);
        answer.await.map(Into::into)
    }
}

/// The file of the folder's default database.
pub(crate) fn file(dir: &Path) -> Arc<File> {
    Arc::new(File::open(&dir.join("default.sqlite"), LEN_MAX).expect("a database"))
}

/// Makes callers over links to one file.
pub(crate) fn callers(file: Arc<File>) -> impl Fn(Constraints, Settings) -> Caller<Link> {
    let (links, next) = (Arc::new(Links::default()), AtomicU32::new(0));
    move |constraints, settings| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let scope = Scope::new(&constraints).expect("known constraints");
        let limits = Limits::from_settings(&settings).expect("good limits");
        links.put(number, limits, SqliteDatabase::new(Arc::clone(&file), scope));
        Caller::new(Link { links: Arc::clone(&links), number })
    }
}

/// One caller, without constraints.
pub(crate) fn caller(file: Arc<File>) -> Caller<Link> {
    callers(file)(Constraints::new(), Settings::new())
}

/// One setting or none of a link.
pub(crate) fn set(name: &str, value: &str) -> Settings {
    [(name.to_owned(), value.to_owned())].into()
}

/// One constraint.
pub(crate) fn only(name: &str, values: &[&str]) -> Constraints {
    [(name.to_owned(), values.iter().map(|&value| value.to_owned()).collect())].into()
}
