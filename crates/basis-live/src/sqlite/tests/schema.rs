use basis_core::journal::JournalError;
use rusqlite::Connection;

use super::super::open::readable;
use super::super::schema::{self, Found, MIGRATIONS, Migration};
use super::super::writer::bring_up;
use super::super::{Durability, SqliteJournal, SqliteReader};
use super::{Scratch, tamper, written};

const NEWER: &[Migration] = &[
    Migration {
        version: 1,
        sql: "the first step is not run again",
    },
    Migration {
        version: 2,
        sql: "ALTER TABLE head ADD COLUMN note TEXT NOT NULL DEFAULT ''",
    },
    Migration {
        version: 3,
        sql: "CREATE TABLE notes (seq INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
    },
];

#[test]
fn an_older_file_is_brought_up_step_by_step() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let connection = Connection::open(&path).unwrap();
    bring_up(&path, &connection, 1, NEWER).unwrap();
    assert_eq!(
        schema::inspect(&path, &connection).unwrap(),
        Found::Journal(3)
    );
    let note: String = connection
        .query_row("SELECT note FROM head", [], |row| row.get(0))
        .unwrap();
    assert_eq!(note, "");
    bring_up(&path, &connection, 3, NEWER).unwrap();
}

#[test]
fn a_failed_step_leaves_the_older_file() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let connection = Connection::open(&path).unwrap();
    let broken = [
        NEWER[0],
        NEWER[1],
        Migration {
            version: 3,
            sql: "CREATE TABLE head (seq INTEGER)",
        },
    ];
    bring_up(&path, &connection, 1, &broken).unwrap_err();
    assert_eq!(
        schema::inspect(&path, &connection).unwrap(),
        Found::Journal(1)
    );
    assert!(connection.prepare("SELECT note FROM head").is_err());
}

#[test]
fn a_newer_file_is_refused_with_both_schemas() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(&path, "PRAGMA user_version = 9");
    for refused in [
        SqliteJournal::open(&path, Durability::Commit).unwrap_err(),
        SqliteReader::open(&path).unwrap_err(),
    ] {
        assert_eq!(
            refused,
            JournalError::NewerSchema {
                path: path.clone(),
                found: 9,
                known: 1
            }
        );
    }
}

#[test]
fn a_reader_does_not_change_an_older_file() {
    let path = std::path::Path::new("book.db");
    assert!(readable(path, 1, 1).is_ok());
    assert!(matches!(
        readable(path, 1, 2),
        Err(JournalError::OlderSchema {
            found: 1,
            known: 2,
            ..
        })
    ));
    assert_eq!(schema::newest(MIGRATIONS), 1);
}

#[test]
fn the_file_is_plain_to_read_by_hand() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let connection = Connection::open(&path).unwrap();
    let line: (String, String, String, String) = connection
        .query_row(
            "SELECT at, account, kind, cause FROM ledger_lines WHERE seq = 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .unwrap();
    assert_eq!(line.0, "2024-01-01T00:00:00.000000001Z");
    assert_eq!(line.1, "aave.main:e-mode/1+");
    assert_eq!(line.2, "realized_pnl");
    assert!(line.3.contains("capital_flow"), "{}", line.3);
    let kinds: String = connection
        .query_row(
            "SELECT group_concat(kind) FROM event_log WHERE commit_seq = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kinds, "capital_flow,rejected,transaction,transaction");
}

#[test]
fn the_queries_of_the_docs_run() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let docs = include_str!("../../../../../docs/journal.md");
    let queries = docs
        .split("```sql")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let connection = Connection::open(&path).unwrap();
    let mut ran = 0;
    for query in queries
        .split_inclusive(';')
        .filter(|query| query.contains("SELECT"))
    {
        connection.prepare(query).unwrap();
        ran += 1;
    }
    assert_eq!(ran, 3);
    let tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    for table in tables {
        assert!(docs.contains(&format!("| `{table}` |")), "{table}");
    }
}
