//! What each rule allows, action by action. What is not listed is denied.
//!
//! A change of the schema is made of changes of SQLite's own tables, which SQLite asks about, too. So those are allowed where they
//! belong to such a change, and only there; a statement of a caller's own that names them is denied.

use rusqlite::hooks::AuthAction;
use wattle_sql::{Access, Scope};

use super::{Heard, Rule, SchemaChange};

/// Functions that reach out of the database.
const FUNCTIONS_DENIED: &[&str] = &["load_extension", "fts3_tokenizer"];

/// Tables that are functions of their arguments, and within everybody's reach.
const FUNCTION_TABLES: &[&str] = &["json_each", "json_tree"];

/// Tables that SQLite makes up about itself, beside those that begin with `sqlite_` or `pragma_`.
const INTERNAL_TABLES: &[&str] = &["dbstat", "bytecode", "tables_used"];

/// What tables of SQLite's and of this provider's begin with.
const RESERVED_PREFIXES: &[&str] = &["sqlite_", "pragma_", "wattle_"];

type Verdict = Result<(), String>;

/// Whether a table is SQLite's or this provider's own.
fn is_reserved(table: &str) -> bool {
    let begins = |prefix: &&str| {
        table.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    RESERVED_PREFIXES.iter().any(begins) || is_one_of(INTERNAL_TABLES, table)
}

pub(super) fn judge(rule: &Rule, action: &AuthAction<'_>, heard: &mut Heard) -> Verdict {
    match rule {
        Rule::Provider => Ok(()),
        Rule::Migration => judge_migration(action, heard),
        Rule::Link { scope, .. } => judge_link(scope, action, heard),
    }
}

fn judge_link(scope: &Scope, action: &AuthAction<'_>, heard: &mut Heard) -> Verdict {
    use AuthAction::{
        AlterTable, CreateIndex, CreateTable, CreateTrigger, CreateView, Delete, DropIndex,
        DropTable, DropTrigger, DropView, Function, Insert, Pragma, Read, Recursive, Reindex,
        Select, Update,
    };
    match *action {
        Select | Recursive => has(scope, Access::Read),
        Function { function_name } => function(function_name),
        Read { table_name, column_name } => read(scope, table_name, column_name, heard),
        Insert { table_name } | Delete { table_name } | Update { table_name, .. } => {
            change(scope, table_name, heard)
        }
        CreateTable { table_name: name }
        | CreateView { view_name: name }
        | CreateIndex { table_name: name, .. }
        | CreateTrigger { table_name: name, .. } => {
            schema(scope, name, SchemaChange::Create, heard)
        }
        AlterTable { table_name: name, .. }
        | DropTable { table_name: name }
        | DropView { view_name: name }
        | DropIndex { table_name: name, .. }
        | DropTrigger { table_name: name, .. } => {
            schema(scope, name, SchemaChange::AlterOrDrop, heard)
        }
        Reindex { .. } => has(scope, Access::Schema),
        Pragma { pragma_name, .. } => pragma(pragma_name, heard),
        ref other => Err(refusal(other)),
    }
}

/// A migration may do what it likes with the database, but stays in it and in its transaction.
fn judge_migration(action: &AuthAction<'_>, heard: &mut Heard) -> Verdict {
    match *action {
        AuthAction::AlterTable { .. } | AuthAction::DropTable { .. } => {
            heard.schema = SchemaChange::AlterOrDrop;
            judge_own_tables(action)
        }
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Pragma { pragma_name, .. } => pragma(pragma_name, heard),
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::Unknown { .. } => Err(refusal(action)),
        _ => judge_own_tables(action),
    }
}

/// The record of migrations is out of their own reach, too, and so is what would run or be looked up with it.
fn judge_own_tables(action: &AuthAction<'_>) -> Verdict {
    use AuthAction::{
        AlterTable, CreateIndex, CreateTable, CreateTrigger, CreateView, CreateVtable, Delete,
        DropIndex, DropTable, DropTrigger, DropView, DropVtable, Insert, Read, Update,
    };
    match *action {
        AlterTable { table_name: table, .. }
        | CreateTable { table_name: table }
        | CreateVtable { table_name: table, .. }
        | CreateView { view_name: table }
        | CreateIndex { table_name: table, .. }
        | CreateTrigger { table_name: table, .. }
        | DropTable { table_name: table }
        | DropVtable { table_name: table, .. }
        | DropView { view_name: table }
        | DropIndex { table_name: table, .. }
        | DropTrigger { table_name: table, .. }
        | Insert { table_name: table }
        | Delete { table_name: table }
        | Update { table_name: table, .. }
        | Read { table_name: table, .. }
            if table.to_ascii_lowercase().starts_with("wattle_") =>
        {
            Err(reserved(table))
        }
        _ => Ok(()),
    }
}

fn has(scope: &Scope, needed: Access) -> Verdict {
    if scope.access() >= needed {
        return Ok(());
    }
    Err(match needed {
        Access::Nothing | Access::Read => "the link allows nothing",
        Access::Write => "the link allows reading only",
        Access::Schema => "a link with constraints does not change the schema",
    }
    .to_owned())
}

fn function(name: &str) -> Verdict {
    if is_one_of(FUNCTIONS_DENIED, name) {
        return Err(format!("{name}() reaches out of the database"));
    }
    Ok(())
}

fn read(scope: &Scope, table: &str, column: &str, heard: &mut Heard) -> Verdict {
    has(scope, Access::Read)?;
    if is_reserved(table) {
        let part_of_change = match heard.schema {
            SchemaChange::Nothing => false,
            // A new table's entry is found by its place; its other columns are read by `AS SELECT`.
            SchemaChange::Create => column.eq_ignore_ascii_case("ROWID"),
            SchemaChange::AlterOrDrop => true,
        };
        return if part_of_change { Ok(()) } else { Err(reserved(table)) };
    }
    if scope.allows_table(table) || is_one_of(FUNCTION_TABLES, table) {
        return Ok(());
    }
    if column.is_empty() {
        // What `WITH` defines is asked about like this as well. Which it is shows when the statement is prepared.
        heard.unread.push(table.to_owned());
        return Ok(());
    }
    Err(outside(table))
}

fn change(scope: &Scope, table: &str, heard: &Heard) -> Verdict {
    has(scope, Access::Write)?;
    if is_one_of(&["sqlite_master", "sqlite_schema"], table) {
        // Part of a change of the schema, ahead of which it comes. SQLite itself refuses it as a caller's own statement.
        return has(scope, Access::Schema);
    }
    if is_reserved(table) {
        let part_of_change = heard.schema == SchemaChange::AlterOrDrop;
        return if part_of_change { Ok(()) } else { Err(reserved(table)) };
    }
    if scope.allows_table(table) { Ok(()) } else { Err(outside(table)) }
}

fn schema(scope: &Scope, table: &str, change: SchemaChange, heard: &mut Heard) -> Verdict {
    has(scope, Access::Schema)?;
    // SQLite makes the former by itself, for AUTOINCREMENT; nobody else can make a table of such a name.
    if is_reserved(table) && !table.eq_ignore_ascii_case("sqlite_sequence") {
        return Err(reserved(table));
    }
    heard.schema = change;
    Ok(())
}

/// Two that SQLite runs by itself: one checks a table's rows against a column that was added.
fn pragma(name: &str, heard: &Heard) -> Verdict {
    let altered = heard.schema == SchemaChange::AlterOrDrop;
    match name {
        "quick_check" if altered => Ok(()),
        "data_version" => Ok(()),
        _ => Err(format!("PRAGMA {name} is the provider's")),
    }
}

fn reserved(table: &str) -> String {
    format!("{table} is not a caller's table")
}

fn outside(table: &str) -> String {
    format!("{table} is not among the tables of the link's constraint")
}

fn refusal(action: &AuthAction<'_>) -> String {
    use AuthAction::{
        Attach, CreateTempIndex, CreateTempTable, CreateTempTrigger, CreateTempView, CreateVtable,
        Detach, Savepoint, Transaction,
    };
    match action {
        Attach { .. } | Detach { .. } => "a link is to one database",
        Transaction { .. } | Savepoint { .. } => "transactions are the provider's",
        CreateTempTable { .. }
        | CreateTempIndex { .. }
        | CreateTempTrigger { .. }
        | CreateTempView { .. } => {
            "temporary tables would belong to a connection, which others use"
        }
        CreateVtable { .. } => "virtual tables are made by migrations",
        _ => "this is not for callers",
    }
    .to_owned()
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
