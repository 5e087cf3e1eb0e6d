"""Reads the TOML file of settings: a table for each command, keys named as the flags without their dashes.

Every mistake is a UsageError that names the file, the table and the key.
"""

import tomllib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from mvstylizer.errors import UsageError

_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    None: ((str,), "a string"),
    Path: ((str,), "a string"),
    str: ((str,), "a string"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
_ANY_KIND = ((str, int, float), "a string or a number")
_LONGEST_SHOWN = 60


def read_table(path: Path, command: str, keys: Collection[str], commands: Collection[str]) -> dict[str, Any]:
    """What stands below ``[command]``, with values as TOML has them; nothing if there is no such table.

    Tables of other commands are left to them, as long as there are such commands. Raises UsageError: the file cannot
    be read, is no TOML, has something that is no command's table, or the table has a key that is none of ``keys``.
    """
    tables = _read(path)
    for name, table in tables.items():
        if name not in commands:
            raise UsageError(f"{path}: [{name}] is no command; known are {', '.join(commands)}"
                             if isinstance(table, dict) else _outside(path, name, command))  # fmt: skip
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name} must be a table; write its settings below [{name}]")
    table = tables.get(command, {})
    for key in table:
        if key not in keys:
            raise UsageError(f"{path}: [{command}] has no setting {key!r}; it has {', '.join(keys)}")
    return dict(table)


def text_of(value: Any, origin: str, kind: Callable[[str], Any] | Any, *, is_switch: bool) -> str:
    """A value as it would be written after its flag, so that flags and files are checked alike.

    ``kind`` is what argparse converts the text with. Raises UsageError, naming ``origin``, for a value of another type.
    """
    types, wanted = ((bool,), "true or false") if is_switch else _KINDS.get(kind, _ANY_KIND)
    # To Python True is a whole number, to a reader it is not.
    if not isinstance(value, types) or (isinstance(value, bool) and not is_switch):
        shown = str(value) if len(str(value)) <= _LONGEST_SHOWN else f"{str(value)[:_LONGEST_SHOWN]}…"
        raise UsageError(f"{origin}: must be {wanted}, not {shown!r} ({type(value).__name__})")
    return str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); name a TOML file of settings") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no TOML ({error}); mend it there") from error


def _outside(path: Path, key: str, command: str) -> str:
    return f"{path}: {key} stands outside of a table; move it below [{command}]"
