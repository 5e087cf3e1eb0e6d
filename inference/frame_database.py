"""The SQLite file of contributed key frames: its schema, how it is opened, and what its failures mean to a person.

The edge writes it (``frame_store``), the trainer reads it meanwhile (``training_frames``); it is in WAL mode, so that
neither waits for the other. All that is kept of a frame is in ``_SCHEMA``; docs/privacy.md tells it to users.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvstylizer.errors import InputError, MVStylizerError, NoSpaceError, OutputError

SCHEMA_VERSION = 1
BUSY_SECONDS = 5.0
"""To wait for the other process, which writes for milliseconds at a time."""
_PAGE_BYTES = 4096
_LOG_BYTES = 16 * 1024 * 1024
_HELD_OUT_SHARE = 8
# Pictures lie apart, so that counting, sampling and marking read and write none of their pages. AUTOINCREMENT: the id
# of a deleted frame is never given to another, which a trainer would then mark by mistake.
_SCHEMA = f"""
CREATE TABLE frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contributor BLOB NOT NULL CHECK (length(contributor) = 32), -- SHA-256 of the id: who has this file cannot delete
    content BLOB NOT NULL CHECK (length(content) = 32),         -- SHA-256 of the picture
    day INTEGER NOT NULL,                                       -- it came on, since 1970-01-01 UTC
    bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    code BLOB NOT NULL,                                         -- float32, little-endian
    release TEXT NOT NULL,                                      -- version that the code is of
    encoder TEXT NOT NULL,                                      -- hex SHA-256 of its style encoder; '' if not known
    held_out INTEGER NOT NULL,                                  -- 1: never to be trained on
    uses INTEGER NOT NULL DEFAULT 0,                            -- times trained on
    UNIQUE (contributor, content)
);
CREATE TABLE pictures (
    frame INTEGER PRIMARY KEY REFERENCES frames (id) ON DELETE CASCADE,
    picture BLOB NOT NULL                                       -- JPEG, PNG or WebP, as it came
);
PRAGMA user_version = {SCHEMA_VERSION};
"""


def is_held_out(content: bytes) -> bool:
    """Whether the picture with this SHA-256 is one of the eighth that is only measured on.

    By content, so that the same picture from two contributors is never on both sides.
    """
    return content[0] % _HELD_OUT_SHARE == 0


def hashed(contributor: str) -> bytes:
    """What is kept of a contributor's id: with 128 random bits it needs no salt."""
    return hashlib.sha256(contributor.encode()).digest()


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database for the one process that adds and deletes; made if it is missing, and checked through and through.

    Raises InputError: damaged, of a newer version, or no database of frames. OutputError: cannot be opened or written.
    NoSpaceError: the disk is full.
    """
    with failures_told(path):
        _make_private(path)
        with _connected(path, "rwc") as connection:
            _check_version(path, connection)
            _check_pages(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // _PAGE_BYTES}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database for a process beside the edge, which may count uses but neither add nor delete.

    Raises InputError: no such file, damaged, or of another version. OutputError: cannot be opened.
    """
    if not path.exists():
        raise InputError(f"{path}: no frames there; they come with: mvstylizer serve --data-dir DIR --collect opt-in")
    with failures_told(path), _connected(path, "rw") as connection:
        if _version(connection) != SCHEMA_VERSION:
            raise _other_version(path, _version(connection))
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def failures_told(path: Path) -> Iterator[None]:
    """Turn what SQLite raises inside into an error that says what to do about the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(path, error) from error


def _told(path: Path, error: sqlite3.Error) -> MVStylizerError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return NoSpaceError(f"{path}: disk full; make room, or move the data directory")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutputError(f"{path}: another process keeps the frame store locked; end it, or try again")
    return OutputError(f"{path}: the frame store cannot be used ({error}); check the disk and the permissions")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: the frame store is damaged ({' '.join(reason.split())[:200]}); move it and {path.name}-wal away to "
        "begin a new one, or save what can be read with: sqlite3 FILE .recover"
    )


def _other_version(path: Path, version: int) -> InputError:
    if version > SCHEMA_VERSION:
        return InputError(f"{path}: written by a newer version of mvstylizer (schema {version}); update this one")
    return InputError(f"{path}: no frame store; name the file of one, or another --data-dir")


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives -wal and -shm the same permissions
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); change its permissions, or choose another --data-dir"
        ) from error


@contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A connection that stays open unless something fails inside."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # opened on one thread and used on another, never on two at a time
    )
    try:
        # NORMAL: a key frame or a mark that a power failure takes is no loss to anybody, while an fsync for each would
        # keep replies waiting. Deletions end with a checkpoint, which is synced in this mode too.
        for setting in ("foreign_keys = ON", "secure_delete = ON", "trusted_schema = OFF", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        yield connection
    except BaseException:
        connection.close()
        raise


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version or tables:
        raise _other_version(path, version)
    # Only before the first table can these be chosen.
    connection.executescript(f"PRAGMA page_size = {_PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL;")
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


def _check_pages(path: Path, connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _damaged(path, str(found))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
