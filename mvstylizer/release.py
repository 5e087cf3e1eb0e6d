"""A release: an exported stylizer in a directory of its own.

Two ONNX graphs, presets if it has some, and a manifest that vouches for them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvstylizer import presets
from mvstylizer.errors import ReleaseError

FORMAT = 1
MANIFEST = "manifest.json"
STYLE_GRAPH = "style.onnx"
STYLIZE_GRAPH = "stylize.onnx"
GRAPHS = (STYLE_GRAPH, STYLIZE_GRAPH)
PRESETS = "presets.npz"
"""Optional: style codes by name."""
MAX_GRAPH_BYTES = 512 * 2**20
STYLE_SIZE = 512
"""Long side, in pixels, at which style photos are encoded."""


@dataclass(frozen=True)
class Release:
    """A verified release. The graphs are held as bytes, so what was verified is what runs."""

    version: str
    code_size: int
    """Length of a style code."""
    manifest: dict[str, Any]
    graphs: dict[str, bytes]
    presets: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Style codes ``(code_size,)`` by name."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """What each preset looks like in one line, maybe empty."""

    @property
    def sha256(self) -> str:
        """One digest over both graphs, in the manifest's order; presets do not count, they are only styles."""
        digests = "".join(self.manifest["files"][name]["sha256"] for name in GRAPHS)
        return hashlib.sha256(digests.encode()).hexdigest()


def bundled() -> Path:
    """The directory of the release that ships with the package."""
    return Path(str(resources.files("mvstylizer"))) / "releases" / "default"


def load(directory: Path) -> Release:
    """Read a release and check its files against their sha256.

    Raises:
        ReleaseError: the directory holds no release, one of a later format, or one that was damaged.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ReleaseError(f"{directory} has release format {manifest['format']}; this version reads {FORMAT}")
        graphs = {name: _verified(directory / name, manifest["files"][name]["sha256"]) for name in GRAPHS}
        codes = _presets(directory, manifest)
        descriptions = {name: str(manifest["presets"][name]["description"]) for name in codes}
        return Release(str(manifest["version"]), int(manifest["code_size"]), manifest, graphs, codes, descriptions)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"{directory} holds no readable release ({error!r}); name a directory that `mvstylizer export` wrote"
        ) from error


def output_shape(height: int, width: int, r: float) -> tuple[int, int]:
    """Size of a stylized picture: round(r·size), half to even, at least one pixel.

    In single precision, as the graphs compute it: where r·size lies next to a half, double precision would differ.
    """
    sides = np.rint(np.array([height, width], np.float32) * np.float32(r))
    return max(1, int(sides[0])), max(1, int(sides[1]))


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def _presets(directory: Path, manifest: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    if PRESETS not in manifest["files"]:
        return {}
    path = directory / PRESETS
    data = _verified(path, manifest["files"][PRESETS]["sha256"])
    return presets.unpacked(data, int(manifest["code_size"]), str(path))


def _verified(path: Path, expected: str) -> bytes:
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise ReleaseError(f"{path} is larger than {MAX_GRAPH_BYTES >> 20} MB and not of this project's making")
    data = path.read_bytes()
    if sha256(data) != expected:
        raise ReleaseError(f"{path} is damaged (its sha256 is not the manifest's); export or install it again")
    return data
