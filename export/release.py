"""Checkpoint → release directory: graphs, parity check, presets, manifest; complete or not there at all."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import torch

from export.graphs import OPSET, style_graph, stylize_graph
from export.parity import FACTORS, SIZES, TOLERANCE, check_parity
from export.presets import presets_from
from mvstylizer import __version__
from mvstylizer import release as releases
from mvstylizer.durable import fsync, write_bytes
from mvstylizer.errors import OutputError, UsageError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.presets import packed
from mvstylizer.training.loop import load_stylizer


def export_release(checkpoint: Path, to: Path, version: str, presets: Path | None = None) -> dict[str, Any]:
    """Write the release of a checkpoint into the new directory ``to``; returns its manifest.

    ``presets`` is where ``presets_from`` finds the release's presets, if it is to have some.

    Raises:
        InputError: the checkpoint is missing or damaged, or ``presets`` holds no presets.
        ReleaseError: ONNX Runtime does not reproduce torch, or ``presets`` is a release that does not match.
        OutputError: ``to`` exists already or cannot be written.
        UsageError: no release may have that version.
    """
    if to.exists():
        raise OutputError(f"{to} exists already; a release is never overwritten: choose another --to")
    if not releases.is_version(version):
        raise UsageError(f"{version[:64]!r} is no version; letters, digits and ._+- make one: choose --release-version")
    stylizer, saved = load_stylizer(checkpoint)
    graphs = {releases.STYLE_GRAPH: style_graph(stylizer), releases.STYLIZE_GRAPH: stylize_graph(stylizer)}
    difference = check_parity(stylizer, graphs[releases.STYLE_GRAPH], graphs[releases.STYLIZE_GRAPH])
    manifest = _manifest(version, stylizer, graphs, difference) | {"training": saved.config["training"]}
    more = {}
    if presets is not None:
        found = presets_from(presets, releases.Release(version, stylizer.code_size, manifest, graphs))
        more[releases.PRESETS] = packed(found.codes)
        manifest["presets"] = {name: {"description": found.descriptions[name]} for name in found.codes}
        manifest["files"] |= _listed(more)
    _publish(to, graphs | more, manifest)
    return manifest


def _listed(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {name: {"sha256": releases.sha256(data), "bytes": len(data)} for name, data in files.items()}


def _manifest(version: str, stylizer: Stylizer, graphs: dict[str, bytes], difference: float) -> dict[str, Any]:
    return {
        "format": releases.FORMAT,
        "version": version,
        "exporter": {"mvstylizer": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
        "opset": OPSET,
        "code_size": stylizer.code_size,
        "stylizer": asdict(stylizer.config),
        "files": _listed(graphs),
        "graphs": {
            releases.STYLE_GRAPH: {
                "photo": "float32 (1, 3, H, W) RGB 0..1",
                "code": "float32 (1, code_size)",
            },
            releases.STYLIZE_GRAPH: {
                "frame": "float32 (1, 3, H, W) RGB 0..1",
                "code": "float32 (1, code_size)",
                "r": "float32 scalar > 0",
                "stylized": "float32 (1, 3, round(r H), round(r W)) RGB 0..1",
            },
        },
        "parity": {
            "against": "torch",
            "sizes": SIZES,
            "r": FACTORS,
            "tolerance": TOLERANCE,
            "max_abs_difference": difference,
        },
    }


def _publish(to: Path, files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Fill a directory under a temporary name, then rename it."""
    partial = to.with_name(f".{to.name}.part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, data in files.items():
            write_bytes(partial / name, data)
        write_bytes(partial / releases.MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
        partial.rename(to)
        fsync(to.parent)
    except OSError as error:
        raise OutputError(f"{to} cannot be written ({error.strerror}); choose another --to") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
