use std::sync::Arc;

use basis_core::journal::{Content, Journal as _, JournalError, JournalReader, Start};
use basis_core::types::{Asset, Epoch, Item};

use super::super::{Durability, SqliteJournal, SqliteReader, check};
use super::{Scratch, created, read, sample, start_at, written};
use crate::memory::MemoryJournal;

/// What reading gives: everything but the parts of the state.
fn without_state(commits: &[basis_core::journal::Commit]) -> Vec<basis_core::journal::Commit> {
    let mut commits = commits.to_vec();
    for commit in &mut commits {
        commit.state.clear();
    }
    commits
}

#[test]
fn everything_reads_back_as_it_was_committed() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let commits = written(&path);
    let expected = without_state(&commits);
    let reader = SqliteReader::open(&path).unwrap();
    assert_eq!(read(&reader, Content::ALL), expected);
    assert_eq!(reader.head().unwrap(), sample::head());
    let writer = SqliteJournal::open(&path, Durability::Commit).unwrap();
    assert_eq!(read(&writer, Content::ALL), expected);
    assert_eq!(check(&path).unwrap(), Vec::new());
    let first = Epoch::new(1_704_067_200, 0);
    let start = |epoch: Epoch, version: &str| Start {
        epoch,
        at: start_at(),
        version: version.to_owned(),
    };
    assert_eq!(
        writer.starts().unwrap(),
        [
            start(first, "1.0.0"),
            start(Epoch::new(1_704_067_201, 7), "1.0.1")
        ]
    );
    let outbox = writer.outbox();
    let (signed, sent) = (sample::signed(first, 0), sample::sent(first, 0));
    assert_eq!(
        outbox.entries(signed.instruction).unwrap(),
        std::slice::from_ref(&signed)
    );
    assert_eq!(reader.outbox().unwrap(), [signed, sent]);
}

#[test]
fn the_latest_of_each_part_of_the_state_counts() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let commits = written(&path);
    let parts = SqliteReader::open(&path).unwrap().state().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["part 0", "part 1", "part 2", "plan"]);
    assert_eq!(parts[3], commits[2].state[0]);
}

#[test]
fn only_the_wanted_parts_are_read() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let commits = written(&path);
    let reader = SqliteReader::open(&path).unwrap();
    let only = |content| read(&reader, content);
    let none = Content::default();
    for (commit, whole) in only(none).iter().zip(&commits) {
        assert!(commit.is_empty());
        assert_eq!(commit.at, whole.at);
    }
    let lines = only(Content {
        lines: true,
        ..none
    });
    let events = only(Content {
        events: true,
        rows: true,
        ..none
    });
    for ((lines, events), whole) in lines.iter().zip(&events).zip(&commits) {
        assert_eq!(lines.lines, whole.lines);
        assert!(lines.events.is_empty() && lines.rows.is_empty());
        assert_eq!((&events.events, &events.rows), (&whole.events, &whole.rows));
        assert!(events.lines.is_empty() && events.calls.is_empty());
    }
}

#[test]
fn postings_are_the_keys_and_lines_of_every_event() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let commits = written(&path);
    let memory = MemoryJournal::new(sample::head());
    memory.begin_start(start_at(), 0, "1.0.0").unwrap();
    for commit in &commits {
        memory.clone().commit(commit).unwrap();
    }
    let collect = |journal: &dyn JournalReader| {
        let mut found = Vec::new();
        journal
            .postings(&mut |key, lines| {
                found.push((key.map(|key| key.as_ref().clone()), lines.to_vec()));
                Ok(())
            })
            .unwrap();
        found
    };
    let found = collect(&SqliteReader::open(&path).unwrap());
    assert_eq!(found, collect(&memory), "the general way gives the same");
    assert_eq!(found.len(), 12);
    let (key, lines) = &found[2];
    assert_ne!(*lines[0].cause.event, *key.as_ref().unwrap());
    let (key, lines) = &found[0];
    assert_eq!(*lines[0].cause.event, *key.as_ref().unwrap());
}

#[test]
fn a_long_journal_is_read_on_two_threads_alike() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    let mut long = sample::commit(epoch, 0);
    // Events without a key, and so without lines, between those with both.
    let keyless = long.events[1].clone();
    long.events
        .splice(1..1, std::iter::repeat_n(keyless, 20_500));
    journal.commit(&long).unwrap();
    journal.commit(&sample::commit(epoch, 1)).unwrap();
    let (mut events, mut lines) = (0, Vec::new());
    journal
        .postings(&mut |_, own| {
            events += 1;
            lines.extend_from_slice(own);
            Ok(())
        })
        .unwrap();
    assert_eq!(events, 20_508);
    let mut expected = long.lines;
    expected.extend(sample::commit(epoch, 1).lines);
    assert_eq!(lines, expected);
    // Who has seen enough ends both threads.
    let mut seen = 0;
    let refused = journal.postings(&mut |_, _| {
        seen += 1;
        Err(JournalError::Inconsistent("enough".to_owned()).into())
    });
    assert_eq!(seen, 1);
    assert!(refused.unwrap_err().message.contains("enough"));
}

#[test]
fn lines_of_one_event_share_its_key() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    written(&path);
    SqliteReader::open(&path)
        .unwrap()
        .postings(&mut |key, lines| {
            if let (Some(key), Some(line)) = (key, lines.first())
                && *line.cause.event == **key
            {
                assert!(Arc::ptr_eq(&line.cause.event, key));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_could_not_be_read_back_is_refused() {
    let scratch = Scratch::new();
    for (name, spoil) in [
        (
            "line",
            (|commit| commit.lines[0].item = Item::Asset(Asset::literal("shares:X")))
                as fn(&mut basis_core::journal::Commit),
        ),
        ("fewer", |commit| {
            commit.lines.pop();
        }),
        ("more", |commit| commit.events[0].lines -= 1),
    ] {
        let path = scratch.file(name);
        let (mut journal, epoch) = created(&path);
        let mut commit = sample::commit(epoch, 0);
        spoil(&mut commit);
        let refused = journal.commit(&commit).unwrap_err();
        assert!(
            matches!(refused, JournalError::Inconsistent(_)),
            "{refused}"
        );
        let again = journal.commit(&sample::commit(epoch, 0)).unwrap_err();
        assert!(matches!(again, JournalError::Stopped { .. }), "{again}");
        drop(journal);
        let reader = SqliteReader::open(&path).unwrap();
        assert!(read(&reader, Content::ALL).is_empty());
        assert_eq!(reader.check().unwrap(), Vec::new());
    }
}

#[test]
fn a_commit_needs_a_start() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let mut journal = SqliteJournal::create(&path, &sample::head(), Durability::Commit).unwrap();
    let refused = journal
        .commit(&sample::commit(Epoch::new(1, 0), 0))
        .unwrap_err();
    assert!(
        refused.to_string().contains("before the start"),
        "{refused}"
    );
}
