//! Opening the file: what must be true of it before anything is written, and how the two
//! kinds of connections are set.

use crate::{aside, budget, fault::Fault, migrate, options::Options, salvage};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

/// The log is cut back to this after it was written into the file.
const LOG_BYTES: i64 = 16 << 20;
/// Pages of the log from which on it is written into the file. A page that many batches changed
/// is written there once, so more of them is less work; all fit in what the log may keep.
const LOG_PAGES: i64 = 3000;
/// Statements kept prepared.
const STATEMENTS: usize = 64;

/// The connection that writes; a suspect file is looked through first. A damaged file is set
/// aside and a new one begun, once: a disk that damages the new one at once is not to be fed.
pub(crate) fn writer(options: &Options, suspect: bool) -> Result<Connection, Fault> {
    let suspect = take_copy(&options.path) || suspect;
    match attempt(options, suspect) {
        Err(Fault::Corrupt(why)) => anew(options, &why),
        other => other,
    }
}

/// Sets the file aside, begins a new one, and takes over what can be read of the old one.
pub(crate) fn anew(options: &Options, why: &str) -> Result<Connection, Fault> {
    let damaged = aside::set_aside(&options.path, (options.clock)(), why)?;
    let mut db = attempt(options, false)?;
    let rows = salvage::salvage(&mut db, &damaged);
    tracing::warn!(rows, "taken over from the damaged database");
    // What came over may be a dead daemon's reservations.
    budget::orphans::settle(&mut db, options).map_err(|error| Fault::of(&options.path, &error))?;
    Ok(db)
}

/// A daemon was killed as it wrote its database again, after the old one was out of the way.
fn take_copy(path: &Path) -> bool {
    let is_missing = path.symlink_metadata().is_err();
    is_missing && fs::rename(aside::copy_of(path), path).is_ok()
}

fn attempt(options: &Options, suspect: bool) -> Result<Connection, Fault> {
    let path = options.path.as_path();
    let of = |error: rusqlite::Error| Fault::of(path, &error);
    let created = make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(of)?;
    // Should it turn out damaged, closing it must not change it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(of)?;
    db.busy_timeout(options.busy).map_err(of)?;
    migrate::verify(&db, path, migrate::STEPS)?;
    if suspect && let Some(damage) = damage(&db).map_err(of)? {
        return Err(Fault::Corrupt(damage));
    }
    settings(&db, options).map_err(of)?;
    migrate::apply(&mut db, path, migrate::STEPS, (options.clock)())?;
    budget::orphans::settle(&mut db, options).map_err(of)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(of)?;
    if created {
        sync_directory(path);
    }
    Ok(db)
}

/// The first damage there is. Reads all of the file.
pub(crate) fn damage(db: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

fn settings(db: &Connection, options: &Options) -> rusqlite::Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "this file system takes no write-ahead log; the database is slower"
        );
    }
    // In between, the writer brings the log to the disk as often as the owner wants.
    let synchronous = if options.sync.is_none() {
        "full"
    } else {
        "normal"
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    plan_once(db)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // What a call was given is gone once it has ended, not only out of sight.
    db.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
    if let Some(most) = options.most_bytes {
        let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(most).unwrap_or(i64::MAX) / page.max(1);
        db.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))?;
    }
    Ok(())
}

/// A statement is planned when it is first prepared. Otherwise SQLite plans one that a partial
/// index serves anew whenever other values are bound to it, which is at every call, and costs
/// more than what the call writes.
fn plan_once(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
}

/// A connection that only reads. Where not even the log's index can be made, a file that
/// nobody writes can still be read as it stands.
pub(crate) fn reader(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let readable = read_only(path, busy, false).and_then(|db| check_readable(db, path));
    match readable {
        Err(Fault::State(crate::State::Unwritable(_))) if has_no_log(path) && path.is_file() => {
            read_only(path, busy, true).and_then(|db| check_readable(db, path))
        }
        other => other,
    }
}

fn check_readable(db: Connection, path: &Path) -> Result<Connection, Fault> {
    if migrate::verify(&db, path, migrate::STEPS)? < migrate::STEPS.len() {
        return Err(Fault::refused(format!(
            "{} is of an older version; start the daemon once, which brings it up to date",
            path.display()
        )));
    }
    Ok(db)
}

fn has_no_log(path: &Path) -> bool {
    let [_, log, _] = aside::family(path);
    log.metadata().map_or(true, |log| log.len() == 0)
}

fn read_only(path: &Path, busy: Duration, immutable: bool) -> Result<Connection, Fault> {
    let of = |error: rusqlite::Error| Fault::of(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = if immutable {
        Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
    } else {
        Connection::open_with_flags(path, flags)
    };
    let db = db.map_err(of)?;
    db.busy_timeout(busy).map_err(of)?;
    db.pragma_update(None, "query_only", true).map_err(of)?;
    plan_once(&db).map_err(of)?;
    Ok(db)
}

fn immutable_uri(path: &Path) -> String {
    let path = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{path}?immutable=1")
}

/// A link may lead to a file that others can write.
pub(crate) fn no_link(path: &Path) -> Result<(), Fault> {
    let link = path.symlink_metadata();
    if link.is_ok_and(|meta| meta.file_type().is_symlink()) {
        return Err(Fault::refused(format!(
            "{} is a symbolic link, which is not followed; replace it by the file itself",
            path.display()
        )));
    }
    Ok(())
}

/// Makes the file with the owner's rights only; its log inherits them. Returns whether it is
/// new.
pub(crate) fn make_private(path: &Path) -> Result<bool, Fault> {
    no_link(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            close_to_others(path);
            Ok(false)
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            let why = format!(
                "no room for the database {} ({error}); free some space",
                path.display()
            );
            Err(Fault::State(crate::State::Full(why)))
        }
        Err(error) => Err(Fault::unwritable(path, &error)),
    }
}

/// Takes everybody else's rights away. Where that fails the file is somebody else's, and
/// writing to it will say so, once; this is tried at every opening.
#[cfg(unix)]
fn close_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for file in aside::family(path) {
        let open = file
            .symlink_metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0);
        if open && let Err(error) = fs::set_permissions(&file, fs::Permissions::from_mode(0o600)) {
            tracing::debug!(file = %file.display(), %error, "the database can be read by others");
        }
    }
}

/// Windows: the profile directory's access list already keeps others out. Untested here.
#[cfg(not(unix))]
fn close_to_others(_: &Path) {}

/// So that a new file's name survives a loss of power too. Some file systems cannot.
pub(crate) fn sync_directory(path: &Path) {
    if cfg!(unix)
        && let Some(directory) = path.parent()
    {
        let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
    }
}
