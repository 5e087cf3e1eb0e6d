"""Files that appear whole or not at all: temporary name, fsync, rename, fsync of the directory."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from mvstylizer.errors import NoSpaceError, OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MEGABYTE = 1_000_000


def refuse_target(path: Path, overwrite: bool) -> None:
    """Raise OutputError where ``path`` could not be written, before any work is done for it."""
    if path.is_dir():
        raise OutputError(f"{path}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent}: no such directory; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path.parent}: not writable; choose another directory or change its permissions")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name or overwrite it with --force")


def output_error(path: Path, error: OSError, needed: int | None = None) -> OutputError | NoSpaceError:
    """What to tell the user when writing ``path`` failed with ``error``; ``needed`` in bytes, where known."""
    if error.errno not in _FULL:
        return OutputError(f"{path}: cannot be written ({error.strerror or error}); choose another place")
    free = shutil.disk_usage(path.parent).free / _MEGABYTE
    need = "" if needed is None else f"about {needed / _MEGABYTE:.1f} MB are needed, "
    return NoSpaceError(f"{path.parent}: disk full ({need}{free:.1f} MB are free); make room or choose another disk")


@contextmanager
def replacing(path: str | PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Yields an empty temporary file beside ``path`` that takes its name when the block ends well.

    The temporary file is hidden (``.name.XXXXXXXX.part.suffix``) and removed after an exception. A file that
    stood under the name before is replaced in one step; a symbolic link is replaced, not followed.

    Raises OutputError when the target is refused (a directory, in a missing or unwritable directory, existing
    without ``overwrite``, also when it appeared meanwhile), NoSpaceError when the disk is full; other
    exceptions of the block pass through.
    """
    target = Path(path)
    refuse_target(target, overwrite)
    part = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        _create(part, target)
        try:
            yield part
        except OSError as error:
            if error.errno in _FULL:
                raise output_error(target, error) from error
            raise
        refuse_target(target, overwrite)
        _publish(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: str | PathLike[str], data: bytes, overwrite: bool = False) -> None:
    """Write a whole file durably; raises what ``replacing`` raises, and OutputError when writing fails."""
    target = Path(path)
    with replacing(target, overwrite) as part:
        try:
            part.write_bytes(data)
        except OSError as error:
            raise output_error(target, error, len(data)) from error


def write_text(path: str | PathLike[str], text: str, overwrite: bool = False) -> None:
    """``write_bytes`` of the text as UTF-8."""
    write_bytes(path, text.encode(), overwrite)


def _create(part: Path, target: Path) -> None:
    try:
        # Not tempfile: its files are private, the result is to have the usual permissions.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise output_error(target, error) from error


def _publish(part: Path, target: Path) -> None:
    try:
        fsync(part)
        part.replace(target)
        fsync(target.parent)
    except OSError as error:
        raise output_error(target, error) from error


def fsync(path: Path) -> None:
    """Wait until a file's content, or a directory's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
