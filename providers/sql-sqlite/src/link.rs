//! The contract over one file, for one link.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use wattle_sql::{Access, Allowance, Database, Error, Rows, Scope, Statement, wire::Changed};

use crate::{
    call::{Call, Done, Work},
    file::File,
    guard::Rule,
    readers::Readers,
};

/// One link's database. Links to the same database share its file, and nothing else.
#[derive(Debug)]
pub struct SqliteDatabase {
    file: Arc<File>,
    readers: Readers,
    rule: Arc<Rule>,
    access: Access,
}

impl SqliteDatabase {
    /// Over this file, within the link's scope.
    pub fn new(file: Arc<File>, scope: Scope) -> Self {
        /// Numbers are given once per process: a statement that was prepared for one link is never another's.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (access, link) = (scope.access(), NEXT.fetch_add(1, Ordering::Relaxed));
        let readers = Readers::new(Arc::clone(file.path()), Arc::clone(file.log()));
        Self { file, readers, rule: Arc::new(Rule::of_link(link, scope)), access }
    }

    async fn read(&self, statement: Statement, allowance: Allowance) -> Result<Done, Error> {
        let (call, waiting) = Call::new(Work::Query(statement), Arc::clone(&self.rule), allowance);
        self.readers.push(call)?;
        waiting.answer().await
    }

    async fn write(&self, work: Work, allowance: Allowance) -> Result<Done, Error> {
        self.needs(Access::Write)?;
        let (call, waiting) = Call::new(work, Arc::clone(&self.rule), allowance);
        self.file.push(call)?;
        waiting.answer().await
    }

    /// What is beyond the link at all need not wait for a thread to hear it.
    fn needs(&self, access: Access) -> Result<(), Error> {
        if self.access >= access {
            return Ok(());
        }
        Err(Error::Denied("the link's access does not allow it".to_owned()))
    }
}

impl Database for SqliteDatabase {
    async fn query(&self, statement: Statement, allowance: Allowance) -> Result<Rows, Error> {
        self.needs(Access::Read)?;
        let done = match self.read(statement, allowance).await? {
            Done::Writes(statement) => self.write(Work::Query(statement), allowance).await?,
            done => done,
        };
        match done {
            Done::Rows(rows) => Ok(rows),
            other => Err(unexpected(&other)),
        }
    }

    async fn execute(&self, statement: Statement, allowance: Allowance) -> Result<u64, Error> {
        match self.write(Work::Execute(statement), allowance).await? {
            Done::Changed(rows) => Ok(rows.into_iter().sum()),
            other => Err(unexpected(&other)),
        }
    }

    async fn batch(
        &self,
        statements: Vec<Statement>,
        allowance: Allowance,
    ) -> Result<Changed, Error> {
        match self.write(Work::Batch(statements), allowance).await? {
            Done::Changed(rows) => Ok(rows),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(done: &Done) -> Error {
    let what = match done {
        Done::Rows(_) => "rows",
        Done::Changed(_) => "a number",
        Done::Writes(_) => "a statement",
    };
    Error::Other(format!("{what} came where it does not belong"))
}
