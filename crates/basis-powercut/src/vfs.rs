//! The disk as SQLite calls it: C functions over [`State`].
#![expect(
    unsafe_code,
    reason = "SQLite calls these functions with pointers that it keeps alive during the call, and never one \
              file from two threads at once"
)]

mod sharing;
mod state;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};

use rusqlite::ffi::{
    self, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs,
};

pub(crate) use self::sharing::Shared;
use self::state::Cut;
pub(crate) use self::state::State;
use crate::random::Random;

/// The name SQLite knows the file system by.
pub(crate) const NAME: &str = "powercut";

const NAME_C: &CStr = c"powercut";

/// Every disk there is, by the number that its paths begin with: SQLite knows file systems for the life of
/// a process, and disks come and go.
static DISKS: Mutex<BTreeMap<u64, Weak<Mutex<State>>>> = Mutex::new(BTreeMap::new());

/// The next number of a disk, or of a handle.
static NEXT: AtomicU64 = AtomicU64::new(1);

static REGISTERED: Once = Once::new();

/// What stands behind an `sqlite3_file` of ours.
struct Handle {
    state: Arc<Mutex<State>>,
    name: String,
    number: u64,
    /// Whether its directory is synced with it, as SQLite's own file system does for logs.
    is_log: bool,
    is_temporary: bool,
    is_mapped: bool,
}

#[repr(C)]
struct File {
    base: sqlite3_file,
    handle: *mut Handle,
}

/// Gives a disk a number for its paths.
pub(crate) fn mount(state: &Arc<Mutex<State>>) -> u64 {
    register();
    let mut disks = lock(&DISKS);
    disks.retain(|_, disk| disk.strong_count() > 0);
    // Numbers are not used again: handles on an old disk may still be open.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    disks.insert(number, Arc::downgrade(state));
    number
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed while it held the lock fails by itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register() {
    REGISTERED.call_once(|| {
        let vfs = Box::leak(Box::new(sqlite3_vfs {
            iVersion: 2,
            szOsFile: c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX),
            mxPathname: 512,
            pNext: ptr::null_mut(),
            zName: NAME_C.as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: None,
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the structure lives as long as the process.
        let registered = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes the file system");
    });
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(sharing::lock_file),
    xUnlock: Some(sharing::unlock_file),
    xCheckReservedLock: Some(sharing::check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(sharing::shm_map),
    xShmLock: Some(sharing::shm_lock),
    xShmBarrier: Some(sharing::shm_barrier),
    xShmUnmap: Some(sharing::shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The path of a file on the disk of this number.
pub(crate) fn path_of(number: u64, name: &str) -> String {
    format!("/{number}/{name}")
}

/// The name that a path has on its disk.
pub(crate) fn name_of(path: &str) -> &str {
    path.splitn(3, '/').nth(2).unwrap_or(path)
}

/// The disk that a path is on, and its name there.
fn find(path: &str) -> Option<(Arc<Mutex<State>>, &str)> {
    let number = path.split('/').nth(1)?.parse().ok()?;
    let disk = lock(&DISKS).get(&number)?.upgrade()?;
    Some((disk, name_of(path)))
}

/// # Safety
/// `name` is null, or ends with a zero.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// # Safety
/// `file` was opened by [`open`] and is not closed.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` put a handle there, and SQLite uses a file in one thread at a time.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

fn done(result: Result<(), Cut>, code: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Cut) => code,
    }
}

fn offset(at: sqlite3_int64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has room for a `File`, and without methods SQLite does not close it.
    unsafe { (*file).pMethods = ptr::null() };
    // SAFETY: SQLite's name, or null for a temporary file.
    let given = unsafe { text(name) };
    let is_temporary = given.is_none();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let found = match given {
        Some(path) => find(path).map(|(state, name)| (state, name.to_owned())),
        None => Some((Arc::default(), "temporary".to_owned())),
    };
    let Some((state, name)) = found else {
        return ffi::SQLITE_CANTOPEN;
    };
    {
        let mut disk = lock(&state);
        let made = match (disk.is_there(&name), flags & ffi::SQLITE_OPEN_CREATE) {
            (true, _) => disk.powered(),
            (false, 0) => return ffi::SQLITE_CANTOPEN,
            (false, _) => disk.make(&name),
        };
        if made.is_err() {
            return ffi::SQLITE_IOERR;
        }
        disk.shared.entry(name.clone()).or_default();
    }
    let logs =
        ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let handle = Box::new(Handle {
        state,
        name,
        number,
        is_log: flags & logs != 0,
        is_temporary: is_temporary || flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
        is_mapped: false,
    });
    // SAFETY: as above; `out_flags` is null or has room.
    unsafe {
        (*file.cast::<File>()).handle = Box::into_raw(handle);
        (*file).pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite's name.
    let Some((state, name)) = (unsafe { text(name) }).and_then(find) else {
        return ffi::SQLITE_IOERR;
    };
    let removed = lock(&state).remove(name, sync != 0);
    match removed {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(Cut) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's name.
    let found = unsafe { text(name) }.and_then(find);
    let there = found.is_some_and(|(state, name)| lock(&state).is_there(name));
    // SAFETY: it has room for the answer.
    unsafe { *result = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's name.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if usize::try_from(room).unwrap_or_default() < bytes.len() {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: there is room for so many, which was just looked at.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let mut random = Random::new(1);
    for at in 0..usize::try_from(count).unwrap_or_default() {
        let [byte, ..] = random.next().to_ne_bytes();
        // SAFETY: there is room for `count`.
        unsafe { out.cast::<u8>().add(at).write(byte) };
    }
    count
}

unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    // 2024-01-01 in milliseconds of the Julian day.
    // SAFETY: it has room for the answer.
    unsafe { *out = 212_570_870_400_000 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once; the handle came from a box.
    let handle = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    let mut disk = lock(&handle.state);
    if let Some(shared) = disk.shared.get_mut(&handle.name) {
        shared.closed(handle.number);
    }
    if handle.is_temporary {
        // A temporary file is nothing that a cut could leave.
        return done(
            disk.remove(&handle.name, false).map(|_| ()),
            ffi::SQLITE_IOERR_CLOSE,
        );
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    count: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: SQLite has room for `count` bytes there.
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), count) };
    match lock(&handle.state).read(&handle.name, offset(at), into) {
        Ok(length) if length == count => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(Cut) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: SQLite has `count` bytes there.
    let from = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), count) };
    let written = lock(&handle.state).write(&handle.name, offset(at), from);
    done(written, ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let set = lock(&handle.state).set_length(&handle.name, offset(length));
    done(set, ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let mut disk = lock(&handle.state);
    let synced = disk.sync(&handle.name).and_then(|()| {
        if handle.is_log && !disk.is_named(&handle.name) {
            disk.sync_directory()?;
        }
        Ok(())
    });
    done(synced, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: an open file.
    let handle = unsafe { handle(file) };
    let length = lock(&handle.state).length(&handle.name);
    // SAFETY: it has room for the answer.
    unsafe { *out = sqlite3_int64::try_from(length).unwrap_or(sqlite3_int64::MAX) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    512
}

/// As SQLite says of a machine's file system: what a write does not touch stays.
unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
