"""A release: an exported stylizer in a directory of its own.

Two ONNX graphs, presets if it has some, and a manifest that vouches for them.
"""

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvstylizer import onnx_graph, presets
from mvstylizer.errors import ReleaseError

FORMAT = 1
MANIFEST = "manifest.json"
STYLE_GRAPH = "style.onnx"
STYLIZE_GRAPH = "stylize.onnx"
GRAPHS = (STYLE_GRAPH, STYLIZE_GRAPH)
PRESETS = "presets.npz"
"""Optional: style codes by name."""
MAX_GRAPH_BYTES = 512 * 2**20
MAX_MANIFEST_BYTES = 2**20
STYLE_SIZE = 512
"""Long side, in pixels, at which style photos are encoded."""
_VERSION_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_NAMES = {STYLE_GRAPH: ({"photo"}, {"code"}), STYLIZE_GRAPH: ({"frame", "code", "r"}, {"stylized"})}
"""Inputs and outputs of each graph."""


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

    @property
    def encoder_sha256(self) -> str:
        """Digest of the style graph: releases that share it share style codes."""
        return str(self.manifest["files"][STYLE_GRAPH]["sha256"])


def bundled() -> Path:
    """The directory of the release that ships with the package."""
    return Path(str(resources.files("mvstylizer"))) / "releases" / "default"


def is_version(text: str) -> bool:
    """Whether a release may have this version: letters, digits and ``._+-``, so that a directory can bear it."""
    return _VERSION_FORM.fullmatch(text) is not None


def load(directory: Path) -> Release:
    """Read a release and check all of it that can be checked without running it.

    Its files against their sha256 and the limits of their size, its graphs for their inputs, outputs and the size of
    a style code, and that they take no values from other files.

    Raises:
        ReleaseError: the directory holds no release, one of a later format, one that was damaged, or one whose
            graphs are not of this project's making.
    """
    try:
        manifest = json.loads(read_bounded(directory / MANIFEST, MAX_MANIFEST_BYTES))
        if manifest["format"] != FORMAT:
            raise ReleaseError(f"{directory} has release format {manifest['format']}; this version reads {FORMAT}")
        version, code_size = str(manifest["version"]), int(manifest["code_size"])
        if not is_version(version):
            raise ReleaseError(f"{directory} has the version {version[:64]!r}; letters, digits and ._+- make one")
        graphs = {name: _verified(directory / name, manifest["files"][name]["sha256"]) for name in GRAPHS}
        for name, graph in graphs.items():
            _check_graph(directory / name, graph, code_size)
        codes = _presets(directory, manifest)
        descriptions = {name: str(manifest["presets"][name]["description"]) for name in codes}
        return Release(version, code_size, manifest, graphs, codes, descriptions)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReleaseError(
            f"{directory} holds no readable release ({error!r}); name a directory that `mvstylizer export` wrote"
        ) from error


def read_bounded(path: Path, limit: int = MAX_GRAPH_BYTES) -> bytes:
    """A file's content, of at most ``limit`` bytes.

    Raises ReleaseError if there are more or it is no file, OSError if it cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ReleaseError(f"{path} is no file; name a directory that `mvstylizer export` wrote")
    if status.st_size > limit:
        raise ReleaseError(f"{path} is larger than {limit >> 20} MB and not of this project's making")
    with path.open("rb") as file:
        return file.read(limit)


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


def _check_graph(path: Path, graph: bytes, code_size: int) -> None:
    signature = onnx_graph.inspect(graph, str(path))
    inputs, outputs = _NAMES[path.name]
    if (set(signature.inputs), set(signature.outputs)) != (inputs, outputs):
        found = f"{', '.join(signature.inputs)} → {', '.join(signature.outputs)}"
        wanted = f"{', '.join(sorted(inputs))} → {', '.join(outputs)}"
        raise ReleaseError(f"{path} computes {found[:200]}; a release's computes {wanted}, so export it again")
    code = (signature.inputs | signature.outputs)["code"]
    if code not in ((1, code_size), (None, code_size)):
        raise ReleaseError(f"{path} has style codes of {code}, the manifest of (1, {code_size}); export it again")


def _verified(path: Path, expected: str) -> bytes:
    data = read_bounded(path)
    if sha256(data) != expected:
        raise ReleaseError(f"{path} is damaged (its sha256 is not the manifest's); export or install it again")
    return data
