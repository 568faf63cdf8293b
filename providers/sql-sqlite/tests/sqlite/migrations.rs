//! Migrations: applied once, in order, and whole.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use wattle_core::Constraints;
use wattle_sql::{Error, ViolationKind, migrations::Source};
use wattle_sql_sqlite::{File, MigrateError, migrate};

use crate::{
    error, execute,
    link::{caller, callers, file, set},
    number,
};

struct Fixture {
    dir: tempfile::TempDir,
    file: Arc<File>,
}

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("migrations")).expect("a folder");
        let file = file(dir.path());
        let fixture = Self { dir, file };
        files.iter().for_each(|(name, text)| fixture.write(name, text));
        fixture
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("migrations")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).expect("a file");
    }

    fn migrate(&self) -> Result<(), MigrateError> {
        migrate(&self.file, &Source::Folder(self.folder()))
    }

    fn reason(&self) -> String {
        self.migrate().expect_err("they do not fit").to_string()
    }
}

const MAKE: (&str, &str) = (
    "0001_make.sql",
    "-- What a cart is; two statements.\nCREATE TABLE carts (id INTEGER PRIMARY KEY);\nINSERT INTO carts VALUES (1), (2);\n",
);
const PRICE: (&str, &str) = (
    "0002_price.sql",
    "ALTER TABLE carts ADD COLUMN price INTEGER NOT NULL DEFAULT 5 CHECK (price > 0);",
);

#[tokio::test]
async fn each_migration_is_applied_once_and_in_order() {
    let fixture = Fixture::new(&[PRICE, MAKE]);
    for _ in 0..3 {
        fixture.migrate().expect("applied, or there already");
    }
    let sql = caller(Arc::clone(&fixture.file));
    assert_eq!(number(&sql, "SELECT sum(price) FROM carts").await, 10, "inserted once");
    fixture.write("0003_more.sql", "INSERT INTO carts (id) VALUES (3)");
    fixture.migrate().expect("a new one");
    assert_eq!(number(&sql, "SELECT count(*) FROM carts").await, 3);
}

#[tokio::test]
async fn migrations_of_the_link_itself_are_the_same_as_a_folder_s() {
    let fixture = Fixture::new(&[MAKE, PRICE]);
    let text = [MAKE, PRICE].map(|(name, text)| format!("-- {name}\n{text}\n")).concat();
    migrate(&fixture.file, &Source::Text(text)).expect("applied");
    fixture.migrate().expect("there already");
    let failing =
        Source::Text("-- 0003_fails.sql\nCREATE TABLE a (x);\nCREATE TABEL b (x);".into());
    let reason = migrate(&fixture.file, &failing).expect_err("it fails").to_string();
    assert!(reason.contains("0001_make.sql"), "what was applied is missing: {reason}");
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_applied_is_named() {
    let fixture = Fixture::new(&[MAKE, PRICE]);
    fixture.migrate().expect("applied");
    fixture.write(MAKE.0, "CREATE TABLE carts (id TEXT)");
    let reason = fixture.reason();
    assert!(reason.contains("0001_make.sql") && reason.contains("changed"), "{reason}");
    fixture.write(MAKE.0, MAKE.1);
    fixture.migrate().expect("it is as it was");
    fs::remove_file(fixture.folder().join(MAKE.0)).expect("it is there");
    assert!(fixture.reason().contains("0001_make.sql"));
}

#[tokio::test]
async fn an_application_that_was_rolled_back_leaves_newer_migrations_alone() {
    let fixture = Fixture::new(&[MAKE, PRICE]);
    fixture.migrate().expect("applied");
    fs::remove_file(fixture.folder().join(PRICE.0)).expect("it is there");
    fixture.migrate().expect("the database is ahead");
}

#[tokio::test]
async fn a_migration_that_fails_says_where_and_leaves_nothing_of_itself() {
    let fixture = Fixture::new(&[MAKE]);
    for (text, line, words) in [
        ("CREATE TABLE a (x);\n\nCREATE TABEL b (x);\n", 3, "syntax"),
        ("CREATE TABLE a (x);\n-- twice\nINSERT INTO carts VALUES (1);\n", 3, "UNIQUE"),
        ("CREATE TABLE a (x);\nINSERT INTO nowhere\nVALUES (1);\n", 2, "nowhere"),
        ("CREATE TABLE a (x); COMMIT;", 1, "transactions"),
        ("CREATE TABLE a (x);\nPRAGMA foreign_keys = OFF;", 2, "PRAGMA"),
        ("CREATE TABLE a (x);\nATTACH 'x' AS y;", 2, "one database"),
        ("CREATE TABLE a (x);\nDELETE FROM wattle_migrations;", 2, "wattle_migrations"),
        ("CREATE INDEX i ON wattle_migrations (name);", 1, "wattle_migrations"),
        ("CREATE VIEW wattle_view AS SELECT 1;", 1, "wattle_view"),
        ("CREATE VIRTUAL TABLE wattle_words USING fts5 (x);", 1, "wattle_words"),
        (
            "CREATE TRIGGER t AFTER INSERT ON wattle_migrations BEGIN SELECT 1; END;",
            1,
            "wattle_migrations",
        ),
    ] {
        fixture.write("0002_fails.sql", text);
        match fixture.migrate() {
            Err(MigrateError::Failed { name, line: at, error }) => {
                assert_eq!((name.as_str(), at), ("0002_fails.sql", line), "{text}: {error}");
                assert!(error.to_string().contains(words), "{text}: {error}");
            }
            other => panic!("{text}: {other:?}"),
        }
        let sql = caller(Arc::clone(&fixture.file));
        let gone = error(sql.query("SELECT x FROM a", &[]).await);
        assert!(matches!(gone, Error::Invalid(_)), "{gone:?}");
        assert_eq!(number(&sql, "SELECT count(*) FROM carts").await, 2, "the first one stays");
    }
}

#[tokio::test]
async fn nobody_reads_or_changes_the_record_of_migrations() {
    let fixture = Fixture::new(&[MAKE]);
    fixture.migrate().expect("applied");
    let sql = caller(Arc::clone(&fixture.file));
    let read = sql.query("SELECT sha256 FROM wattle_migrations", &[]).await;
    assert!(matches!(error(read), Error::Denied(_)));
    for change in [
        "DELETE FROM wattle_migrations",
        "UPDATE Wattle_Migrations SET sha256 = ''",
        "DROP TABLE wattle_migrations",
        "ALTER TABLE wattle_migrations RENAME TO mine",
        "CREATE TRIGGER t AFTER INSERT ON wattle_migrations BEGIN SELECT 1; END",
    ] {
        assert!(matches!(error(sql.execute(change, &[]).await), Error::Denied(_)), "{change}");
    }
    execute(&sql, "DELETE FROM carts").await;
    fixture.migrate().expect("nothing is new");
    assert_eq!(number(&sql, "SELECT count(*) FROM carts").await, 0, "and nothing ran again");
}

#[tokio::test]
async fn nobody_takes_the_name_of_the_record_before_it_is_needed() {
    let fixture = Fixture::new(&[MAKE]);
    let sql = caller(Arc::clone(&fixture.file));
    let same = "CREATE TABLE mine (number INTEGER, name TEXT, sha256 TEXT, applied_at TEXT)";
    execute(&sql, same).await;
    error(sql.execute("ALTER TABLE mine RENAME TO wattle_migrations", &[]).await);
    error(sql.execute("ALTER TABLE mine RENAME TO Wattle_Migrations", &[]).await);
    execute(&sql, "INSERT INTO mine (number, name, sha256) VALUES (1, '0001_make.sql', '')").await;
    fixture.migrate().expect("applied");
    assert_eq!(number(&sql, "SELECT count(*) FROM carts").await, 2);
}

#[tokio::test]
async fn links_that_bring_the_same_migrations_at_once_apply_them_once() {
    let fixture = Fixture::new(&[MAKE, PRICE]);
    let folder = &Source::Folder(fixture.folder());
    std::thread::scope(|scope| {
        let run = || migrate(&fixture.file, folder).expect("applied by one of them");
        (0..4).for_each(|_| drop(scope.spawn(run)));
    });
    let sql = caller(Arc::clone(&fixture.file));
    assert_eq!(number(&sql, "SELECT count(*) FROM carts").await, 2);
}

const FAMILIES: (&str, &str) = (
    "0001_families.sql",
    "CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE children (parent INTEGER REFERENCES parents (id) ON DELETE CASCADE);
    INSERT INTO parents VALUES (1, 'one'), (2, 'other');
    INSERT INTO children VALUES (1), (1), (2);",
);

/// As SQLite's manual has it: what `ALTER TABLE` cannot do is done by making the table anew.
const REBUILD: (&str, &str) = (
    "0002_rebuild.sql",
    "CREATE TABLE new_parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO new_parents SELECT id, name FROM parents;
    DROP TABLE parents;
    ALTER TABLE new_parents RENAME TO parents;",
);

#[tokio::test]
async fn a_table_that_is_rebuilt_keeps_what_refers_to_it() {
    let fixture = Fixture::new(&[FAMILIES, REBUILD]);
    fixture.migrate().expect("applied");
    let sql = caller(Arc::clone(&fixture.file));
    assert_eq!(number(&sql, "SELECT count(*) FROM children").await, 3);
    let orphan = error(sql.execute("INSERT INTO children VALUES (9)", &[]).await);
    assert!(matches!(orphan, Error::Constraint(_)), "{orphan:?}");
    execute(&sql, "DELETE FROM parents WHERE id = 1").await;
    assert_eq!(number(&sql, "SELECT count(*) FROM children").await, 1, "for links it cascades");
}

#[tokio::test]
async fn a_migration_that_leaves_a_row_without_its_parent_fails() {
    let fixture = Fixture::new(&[FAMILIES]);
    fixture.migrate().expect("applied");
    fixture.write("0002_orphan.sql", "-- It does not cascade.\nDELETE FROM parents WHERE id = 2;");
    match fixture.migrate() {
        Err(MigrateError::Failed { name, error: Error::Constraint(violation), .. }) => {
            assert_eq!(name, "0002_orphan.sql");
            assert_eq!(violation.kind, ViolationKind::ForeignKey);
            let words = ["row 3", "children", "parents"];
            assert!(words.iter().all(|word| violation.message.contains(word)), "{violation}");
        }
        other => panic!("{other:?}"),
    }
    let sql = caller(Arc::clone(&fixture.file));
    assert_eq!(number(&sql, "SELECT count(*) FROM parents").await, 2);
    let both = "DELETE FROM children WHERE parent = 2; DELETE FROM parents WHERE id = 2";
    fixture.write("0002_orphan.sql", both);
    fixture.migrate().expect("nothing is left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_wait_for_a_long_change_and_only_where_some_are_new() {
    const CHANGE: &str = "INSERT INTO carts WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n) \
                          SELECT count(*) FROM n";
    let fixture = Fixture::new(&[MAKE]);
    fixture.migrate().expect("applied");
    let caller = callers(Arc::clone(&fixture.file));
    let slow = caller(Constraints::new(), set("statement_timeout_ms", "8000"));
    let change = tokio::spawn(async move { error(slow.execute(CHANGE, &[]).await) });
    let other = Connection::open(fixture.file.path().as_path()).expect("the same database");
    other.busy_timeout(Duration::ZERO).expect("a setting");
    while other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await; // until the change holds the file
    }
    let began = Instant::now();
    fixture.migrate().expect("nothing is new");
    assert!(began.elapsed() < Duration::from_secs(5) && !change.is_finished(), "at once");
    fixture.write(PRICE.0, PRICE.1);
    fixture.migrate().expect("it waits");
    assert!(began.elapsed() > Duration::from_secs(5), "for longer than a change does");
    let stopped = change.await.expect("no panic");
    assert!(matches!(stopped, Error::Timeout(_)), "{stopped:?}");
    let sql = caller(Constraints::new(), set("max_rows", "1"));
    assert_eq!(number(&sql, "SELECT sum(price) FROM carts").await, 10);
}
