//! Rules of the tables: which one a change would have broken.

use wattle_core::call::Call;

use super::{count, err, ok, table};
use crate::{Caller, Error, ViolationKind};

const PARENTS: &str = "conformance_parents";
const CHILDREN: &str = "conformance_children";

pub(super) async fn run<C: Call>(sql: &Caller<C>) {
    ok("drop", sql.execute(&format!("DROP TABLE IF EXISTS {CHILDREN}"), &[])).await;
    table(sql, PARENTS, "id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE").await;
    let columns = "id BIGINT PRIMARY KEY, parent BIGINT NOT NULL REFERENCES conformance_parents (id), \
                   price BIGINT CHECK (price > 0)";
    table(sql, CHILDREN, columns).await;
    let parent = format!("INSERT INTO {PARENTS} (id, name) VALUES (1, 'first')");
    ok("insert", sql.execute(&parent, &[])).await;
    let child = format!("INSERT INTO {CHILDREN} (id, parent, price) VALUES (1, 1, 5)");
    ok("insert", sql.execute(&child, &[])).await;

    for (kind, change) in [
        (ViolationKind::Unique, format!("INSERT INTO {PARENTS} (id, name) VALUES (1, 'second')")),
        (ViolationKind::Unique, format!("INSERT INTO {PARENTS} (id, name) VALUES (2, 'first')")),
        (ViolationKind::NotNull, format!("INSERT INTO {PARENTS} (id) VALUES (2)")),
        (ViolationKind::NotNull, format!("UPDATE {CHILDREN} SET parent = NULL")),
        (ViolationKind::ForeignKey, format!("INSERT INTO {CHILDREN} (id, parent) VALUES (2, 7)")),
        (ViolationKind::ForeignKey, format!("DELETE FROM {PARENTS}")),
        (ViolationKind::Check, format!("UPDATE {CHILDREN} SET price = 0")),
    ] {
        match err(&change, sql.execute(&change, &[])).await {
            Error::Constraint(violation) => assert_eq!(violation.kind, kind, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
    assert_eq!((count(sql, PARENTS).await, count(sql, CHILDREN).await), (1, 1));
}
