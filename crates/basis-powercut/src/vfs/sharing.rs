//! Locks, and the memory of the log's index: what connections share within the process, and what goes with
//! it.
#![expect(unsafe_code, reason = "as in the module above")]

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi::{self, sqlite3_file};

use super::{handle, lock};

/// What the connections of a process share of a file: locks, and the index of the log.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The lock of each handle.
    locks: BTreeMap<u64, c_int>,
    regions: Vec<Region>,
    mapped: usize,
    /// How many handles hold each lock of the log's index; -1: one holds it alone.
    slots: [i32; SLOTS],
}

const SLOTS: usize = 8;

/// Memory that SQLite reads and writes as it likes.
#[derive(Debug)]
struct Region {
    start: ptr::NonNull<u64>,
    words: usize,
}

// SAFETY: it owns its memory; SQLite orders its accesses with locks and barriers.
unsafe impl Send for Region {}

impl Region {
    fn new(bytes: usize) -> Self {
        let words = bytes.div_ceil(8);
        let memory = Box::leak(vec![0_u64; words].into_boxed_slice());
        Self {
            start: ptr::NonNull::from(memory).cast(),
            words,
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let memory = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.words);
        // SAFETY: `new` leaked a box of exactly this.
        drop(unsafe { Box::from_raw(memory) });
    }
}

impl Shared {
    /// Takes back what a handle that is closed still holds.
    pub(super) fn closed(&mut self, handle: u64) {
        self.locks.remove(&handle);
    }
}

pub(super) unsafe extern "C" fn lock_file(file: *mut sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let shared = disk.shared.entry(handle.name.clone()).or_default();
    let mut others = shared
        .locks
        .iter()
        .filter(|(number, _)| **number != handle.number)
        .map(|(_, level)| *level);
    let is_free = match wanted {
        ffi::SQLITE_LOCK_SHARED => others.all(|level| level < ffi::SQLITE_LOCK_PENDING),
        ffi::SQLITE_LOCK_RESERVED => others.all(|level| level < ffi::SQLITE_LOCK_RESERVED),
        _ => others.all(|level| level == ffi::SQLITE_LOCK_NONE),
    };
    if !is_free {
        return ffi::SQLITE_BUSY;
    }
    let own = shared.locks.entry(handle.number).or_default();
    *own = wanted.max(*own);
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn unlock_file(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let shared = disk.shared.entry(handle.name.clone()).or_default();
    shared.locks.insert(handle.number, level);
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn check_reserved_lock(
    file: *mut sqlite3_file,
    out: *mut c_int,
) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let disk = lock(&handle.state);
    let is_reserved = disk.shared.get(&handle.name).is_some_and(|shared| {
        let mut levels = shared.locks.values();
        levels.any(|level| *level >= ffi::SQLITE_LOCK_RESERVED)
    });
    // SAFETY: it has room for the answer.
    unsafe { *out = c_int::from(is_reserved) };
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let shared = disk.shared.entry(handle.name.clone()).or_default();
    if !handle.is_mapped {
        handle.is_mapped = true;
        shared.mapped += 1;
    }
    let region = usize::try_from(region).unwrap_or_default();
    let bytes = usize::try_from(bytes).unwrap_or_default();
    while extend != 0 && shared.regions.len() <= region {
        shared.regions.push(Region::new(bytes));
    }
    let start = shared
        .regions
        .get(region)
        .map(|region| region.start.as_ptr());
    // SAFETY: it has room for the answer; a region stays until the last handle is unmapped.
    unsafe { *out = start.map_or(ptr::null_mut(), <*mut u64>::cast) };
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let shared = disk.shared.entry(handle.name.clone()).or_default();
    let first = usize::try_from(first).unwrap_or_default();
    let last = first + usize::try_from(count).unwrap_or_default();
    let Some(slots) = shared.slots.get_mut(first..last) else {
        return ffi::SQLITE_IOERR;
    };
    let is_alone = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        for slot in slots {
            *slot = if is_alone { 0 } else { (*slot - 1).max(0) };
        }
        return ffi::SQLITE_OK;
    }
    let is_free = |slot: &i32| if is_alone { *slot == 0 } else { *slot >= 0 };
    if !slots.iter().all(is_free) {
        return ffi::SQLITE_BUSY;
    }
    for slot in slots {
        *slot = if is_alone { -1 } else { *slot + 1 };
    }
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn shm_barrier(_: *mut sqlite3_file) {
    fence(Ordering::SeqCst);
}

pub(super) unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let shared = disk.shared.entry(handle.name.clone()).or_default();
    if handle.is_mapped {
        handle.is_mapped = false;
        shared.mapped -= 1;
        if shared.mapped == 0 {
            shared.regions.clear();
        }
    }
    ffi::SQLITE_OK
}
