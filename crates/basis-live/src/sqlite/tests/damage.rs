use basis_core::journal::{JournalError, JournalReader as _};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode};

use super::super::{Durability, Link, Problem, SqliteJournal, SqliteReader, check};
use super::{Scratch, tamper, written};

const TABLES: [&str; 9] = [
    "head",
    "starts",
    "commits",
    "instructions",
    "events",
    "ledger",
    "rows",
    "state",
    "outbox",
];

/// Every cell of the first rows of every table, with the smallest change of it.
fn changes(connection: &Connection) -> Vec<(String, Value)> {
    let mut changes = Vec::new();
    for table in TABLES {
        let mut statement = connection
            .prepare(&format!(
                "SELECT rowid, * FROM {table} ORDER BY rowid LIMIT 15"
            ))
            .unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let rowid: i64 = row.get(0).unwrap();
            for (at, column) in columns.iter().enumerate().skip(1) {
                let changed = match row.get_unwrap::<_, Value>(at) {
                    Value::Null => continue,
                    Value::Integer(number) => Value::Integer(number + 1_000),
                    Value::Real(number) => Value::Real(number + 1.0),
                    Value::Text(text) => {
                        // The last letter or digit: still a text of the same form, mostly.
                        let at = text.rfind(|c: char| c.is_ascii_alphanumeric());
                        let at = at.unwrap_or_default();
                        let mut bytes = text.into_bytes();
                        match bytes.get_mut(at) {
                            Some(byte) => *byte ^= 1,
                            None => bytes.push(b'x'),
                        }
                        Value::Text(String::from_utf8(bytes).unwrap())
                    }
                    Value::Blob(mut bytes) => {
                        match bytes.first_mut() {
                            Some(byte) => *byte ^= 1,
                            None => bytes.push(0),
                        }
                        Value::Blob(bytes)
                    }
                };
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = {rowid}");
                changes.push((sql, changed));
            }
        }
    }
    changes
}

#[test]
fn every_changed_cell_of_every_table_is_found() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let connection = Connection::open(&path).unwrap();
    // Rows of what is checked by value, so that a change of any of them is possible.
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
        .unwrap();
    let changes = changes(&connection);
    assert!(changes.len() > 450, "{}", changes.len());
    for (sql, changed) in changes {
        connection.execute_batch("BEGIN").unwrap();
        let kind = changed.data_type();
        if let Err(e) = connection.execute(&sql, [changed]) {
            let unique = e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
            assert!(unique, "{sql}: {e}");
        } else {
            let found = super::super::check::problems(&path, &connection).unwrap();
            assert!(!found.is_empty(), "{sql} ({kind}) is not found");
        }
        connection.execute_batch("ROLLBACK").unwrap();
    }
    assert_eq!(check(&path).unwrap(), Vec::new());
}

#[test]
fn one_change_is_listed_where_it_was_made() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(
        &path,
        "UPDATE events SET marks = replace(marks, '2300', '2301') WHERE seq = 5",
    );
    assert_eq!(
        check(&path).unwrap(),
        [Problem::Changed {
            link: Link::Commit(2)
        }]
    );
}

#[test]
fn all_problems_are_listed() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(
        &path,
        "DELETE FROM events WHERE seq = 6; DELETE FROM instructions WHERE seq = 1; \
         UPDATE instructions SET client_order_id = 'x' WHERE seq = 3; \
         UPDATE starts SET epoch = '5' WHERE seq = 2; UPDATE state SET json = '{}' WHERE name = 'plan'; \
         UPDATE ledger SET line = 0 WHERE seq = 2; UPDATE commits SET start = 1 WHERE seq = 3",
    );
    let found = check(&path).unwrap();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    for wanted in [
        "events 7: 6 was expected",
        "instructions 2: 1 was expected",
        "commit 1: it names 2 rows of instructions, and there are 1",
        "commit 2: it names 4 rows of events, and there are 3",
        "instruction 3: its client_order_id is x, and 0000000k0s6k2o000000000000003 follows from it",
        "start 2: its epoch 5 is not after the one before it",
        "instruction 5: no start has the epoch of 1704067201r00000007-5",
        "ledger line 2: capital_flow:2024-01-01T00:00:00Z:0#0 was posted before",
        "commit 3: it is of start 1, and 2 was the latest",
        "state: its parts are not those that the last commit left",
        "start 2: something in it, or before it, was changed after it was written",
        "commit 1: something in it, or before it, was changed after it was written",
        "commit 2: something in it, or before it, was changed after it was written",
        "commit 3: something in it, or before it, was changed after it was written",
    ] {
        assert!(
            found.iter().any(|line| line == wanted),
            "{wanted}: {found:#?}"
        );
    }
}

#[test]
fn rows_and_ids_that_stand_twice_are_found() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(
        &path,
        "INSERT INTO instructions SELECT 7, 3, id, 'other', venue, submitted_at, instruction \
           FROM instructions WHERE seq = 1; \
         INSERT INTO events SELECT 13, 3, 0, key, venue, at, received_at, posted_at, kind, event, marks \
           FROM events WHERE seq = 1; \
         INSERT INTO events SELECT 14, 9, 0, key, venue, at, received_at, posted_at, kind, event, marks \
           FROM events WHERE seq = 2; \
         INSERT INTO outbox SELECT 3, '77', at, stage, nonce, hash, bytes, digest FROM outbox WHERE seq = 1",
    );
    let found = check(&path).unwrap();
    let has = |wanted: &dyn Fn(&Problem) -> bool| assert!(found.iter().any(wanted), "{found:#?}");
    has(&|p| matches!(p, Problem::InstructionTwice { seq: 7, .. }));
    has(&|p| matches!(p, Problem::EventTwice { seq: 13, .. }));
    has(&|p| {
        matches!(
            p,
            Problem::Orphan {
                table: "events",
                seq: 14
            }
        )
    });
    has(&|p| matches!(p, Problem::OutboxInstruction { seq: 3, .. }));
    has(&|p| {
        matches!(
            p,
            Problem::Changed {
                link: Link::Outbox(3)
            }
        )
    });
}

#[test]
fn rows_that_cannot_be_read_are_named_with_their_column() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(&path, "UPDATE ledger SET quantity = '1,5' WHERE seq = 4");
    let found = check(&path).unwrap();
    let named = found.iter().any(|problem| {
        matches!(problem, Problem::Unreadable { table: "ledger", seq: 4, problem }
            if problem.contains("quantity"))
    });
    assert!(named, "{found:?}");
    let reader = SqliteReader::open(&path).unwrap();
    let refused = reader.postings(&mut |_, _| Ok(())).unwrap_err();
    assert!(refused.message.contains("quantity"), "{refused}");
    assert_eq!(refused.code.as_str(), "EXEC-006");
}

#[test]
fn a_changed_state_is_not_gone_on_from() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    tamper(
        &path,
        "UPDATE state SET json = '{\"rest\":9}' WHERE name = 'plan'",
    );
    let refused = SqliteJournal::open(&path, Durability::Commit).unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("state"), "{refused}");
}

#[test]
fn garbled_and_truncated_files_are_refused_or_found() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    let whole = std::fs::read(&path).unwrap();
    let spoilt = scratch.file("spoilt.db");
    let mut cases = vec![
        whole[..whole.len() / 2].to_vec(),
        whole[..4_096].to_vec(),
        whole[..100].to_vec(),
        b"this is no database, but a text that is long enough to be read as one".repeat(100),
    ];
    for page in 0..whole.len() / 4_096 {
        let mut garbled = whole.clone();
        garbled[page * 4_096..(page + 1) * 4_096].fill(0xa5);
        cases.push(garbled);
    }
    for case in cases {
        std::fs::write(&spoilt, &case).unwrap();
        let opened = SqliteJournal::open(&spoilt, Durability::Commit);
        match opened {
            Err(e) => assert!(matches!(e, JournalError::Damaged { .. }), "{e}"),
            Ok(journal) => assert!(!journal.check().unwrap().is_empty()),
        }
        for beside in ["spoilt.db-wal", "spoilt.db-shm"] {
            std::fs::remove_file(scratch.file(beside)).ok();
        }
    }
}
