"""The presets of a release: style codes of photos by this release's own style graph, or another release's."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvstylizer import release as releases
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, ReleaseError
from mvstylizer.pictures import read_picture
from mvstylizer.presets import MAX_PRESETS, is_preset_name
from mvstylizer.release import MANIFEST, STYLE_GRAPH, Release
from mvstylizer.styles import blended

DESCRIPTIONS = "descriptions.json"
"""Optional file in a folder of photos: ``{preset's name: one line}``."""
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class Presets:
    """Style codes ``(code_size,)`` and descriptions of one line, both by name."""

    codes: Mapping[str, NDArray[np.float32]]
    descriptions: Mapping[str, str]


def presets_from(source: Path, release: Release) -> Presets:
    """The presets in ``source`` for a release that has none yet.

    ``source`` is a folder of photos, ``NAME.jpg`` or ``NAME-1.jpg``, ``NAME-2.jpg`` … whose codes are averaged, or
    a release's directory, whose codes are taken over if its style graph is the same to the last byte.

    Raises:
        InputError: the folder or its photos cannot be used as presets.
        ReleaseError: the other release is damaged, has no presets, or another style graph.
    """
    if (source / MANIFEST).exists():
        return _taken_over(source, release)
    photos = _photos(source)
    engine = Engine(release)
    codes = {name: _mean_code(paths, engine) for name, paths in photos.items()}
    return Presets(codes, _descriptions(source, photos))


def _taken_over(source: Path, release: Release) -> Presets:
    other = releases.load(source)
    if not other.presets:
        raise ReleaseError(f"{source}: release {other.version} has no presets; name a folder of photos")
    if other.graphs[STYLE_GRAPH] != release.graphs[STYLE_GRAPH]:
        raise ReleaseError(
            f"{source}: its {STYLE_GRAPH} is not this checkpoint's, so its style codes mean something else here; "
            "name the folder of photos that its presets were made of"
        )
    return Presets(other.presets, other.descriptions)


def _photos(folder: Path) -> dict[str, list[Path]]:
    """The photos of each preset."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); name a folder of photos or a release"
        ) from error
    photos: dict[str, list[Path]] = {}
    for path in paths:
        photos.setdefault(re.sub(r"-\d+$", "", path.stem), []).append(path)
    for name, own in photos.items():
        if not is_preset_name(name):
            raise InputError(f"{own[0]}: {name!r} cannot be a preset's name; use lower-case letters, digits and dashes")
    if not 1 <= len(photos) <= MAX_PRESETS:
        raise InputError(f"{folder}: photos of {len(photos)} presets (jpg, png, webp); give 1 to {MAX_PRESETS}")
    return photos


def _mean_code(paths: list[Path], engine: Engine) -> NDArray[np.float32]:
    return blended([engine.encode_style(read_picture(path)) for path in paths], [1.0] * len(paths))


def _descriptions(folder: Path, names: Mapping[str, Any]) -> dict[str, str]:
    path = folder / DESCRIPTIONS
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); it must be JSON, {{name: description}}") from error
    if not isinstance(told, dict) or not all(isinstance(text, str) and text.isprintable() for text in told.values()):
        raise InputError(f"{path}: must be JSON, {{name: description of one line}}")
    if unknown := sorted(told.keys() - names.keys()):
        raise InputError(f"{path}: there is no photo for {unknown[0]!r}; add {unknown[0]}.jpg or take the line out")
    return {name: told.get(name, "") for name in names}
