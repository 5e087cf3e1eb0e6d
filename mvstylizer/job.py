"""What exactly a run makes, so that a later run of the same job, and of no other, may go on where it stopped."""

import hashlib
from pathlib import Path
from typing import Any

from mvstylizer import __version__
from mvstylizer.styles import Part, Style

_END = 2**20
"""Bytes read at either end of the source; its size and time of change say the rest."""


def identity(source: Path, style: Style, stylizer: str, settings: dict[str, Any]) -> dict[str, Any]:
    """All that the output depends on, JSON-ready; ``stylizer`` is what the stylizer says it is."""
    return {
        "mvstylizer": __version__,
        "source": _source(source),
        "style": [_part(part) for part in style.parts],
        "stylizer": stylizer,
        "settings": settings,
    }


def _source(path: Path) -> dict[str, Any]:
    status = path.stat()
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_END))
        file.seek(max(0, status.st_size - _END))
        digest.update(file.read(_END))
    return {"bytes": status.st_size, "changed_ns": status.st_mtime_ns, "ends_sha256": digest.hexdigest()}


def _part(part: Part) -> list[str | float]:
    if isinstance(part.look, str):
        return [part.look, part.weight]
    return [f"{part.look.shape} {hashlib.sha256(part.look.tobytes()).hexdigest()}", part.weight]
