"""The random id under which this user's key frames are offered to edges, and by which they can be deleted again.

It says nothing about who or where, but whoever knows it can have the frames deleted: nobody else may read its file.
"""

import os
import re
import secrets
from pathlib import Path

from mvstylizer.durable import fsync, output_error
from mvstylizer.errors import InputError, UsageError

_FORM = re.compile(r"[0-9a-f]{32}\n?")


def contributor_id() -> str:
    """The id, 32 lower-case hex digits, made on first use.

    Raises InputError: its file is damaged or cannot be read. OutputError or NoSpaceError: it cannot be written.
    UsageError: this user has no home directory to keep it in.
    """
    path = _path()
    known = _read(path)
    if known is None:
        _write(path, secrets.token_hex(16))
        known = _read(path)
    if known is None:
        raise InputError(f"{path}: was deleted while it was made; run the command again")
    return known


def known_id() -> str | None:
    """The id, or None if nothing was ever offered from here. Raises InputError or UsageError as ``contributor_id``."""
    return _read(_path())


def forget() -> None:
    """Drop the id: what edges still keep under it can no longer be shown or deleted from here.

    The next ``contributor_id`` is another one. Raises OutputError if its file cannot be removed.
    """
    path = _path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def _path() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        # The XDG specification has relative paths ignored.
        base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise UsageError("there is no home directory for the contributor's id; set XDG_STATE_HOME") from error
    return base / "mvstylizer" / "contributor"


def _read(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no contributor's id can be read there ({error}); mend or delete it") from error
    if _FORM.fullmatch(text) is None:
        raise InputError(
            f"{path}: holds no contributor's id, 32 hex digits; write the right one there, or delete the file for a "
            "new one (what was contributed before can then not be deleted from here)"
        )
    return text.strip()


def _write(path: Path, contributor: str) -> None:
    """Whole or not at all, and never over another: of two first uses at once, one makes the id."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(f"{contributor}\n")
            fsync(part)
            path.hardlink_to(part)
            fsync(path.parent)
        except FileExistsError:
            return
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
