"""A release with other weights: the graphs of one that exists, with a checkpoint's tensors in the places of its own.

``torch.onnx`` takes half a minute and a gigabyte to trace the same network again after each round; exchanging tensors
by name takes milliseconds. The style graph stays as it is to the last byte, so style codes and presets stay valid.
"""

import json
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from export.parity import check_parity
from mvstylizer import __version__
from mvstylizer import release as releases
from mvstylizer.durable import write_bytes, write_text
from mvstylizer.errors import ReleaseError
from mvstylizer.network.stylizer import Stylizer, config_from
from mvstylizer.presets import packed
from mvstylizer.release import Release

_PREFIXES = {releases.STYLE_GRAPH: ("stylizer.",), releases.STYLIZE_GRAPH: ("decode/stylizer.", "smooth/")}
"""Of the weights' names in each graph, in front of those that they have in torch."""
_SIZES, _FACTORS = ((64, 64), (101, 67)), (1.0, 1.7)


def reweighted(base: Release, stylizer: Stylizer, version: str) -> Release:
    """The release of ``stylizer``, made from one of the same configuration and the same frozen encoder.

    Raises:
        ReleaseError: the base is of another network, or ONNX Runtime does not give what torch gives.
    """
    if config_from(base.manifest.get("stylizer", {})) != stylizer.config:
        raise ReleaseError(f"release {base.version} is of another network")
    graphs = {name: _exchanged(base, name, stylizer) for name in releases.GRAPHS}
    difference = check_parity(stylizer, graphs[releases.STYLE_GRAPH], graphs[releases.STYLIZE_GRAPH], _SIZES, _FACTORS)
    parity = {"against": "torch", "sizes": _SIZES, "r": _FACTORS, "max_abs_difference": difference}
    manifest = base.manifest | {
        "version": version,
        "exporter": {"mvstylizer": __version__, "reweighted": base.version},
        "files": {name: _listed(graph) for name, graph in graphs.items()},
        "parity": parity,
    }
    return Release(version, base.code_size, manifest, graphs, base.presets, base.descriptions)


def write_release(release: Release, to: Path) -> None:
    """Write a release into the new directory ``to``, its manifest last; raises what ``durable.write_bytes`` raises."""
    to.mkdir(parents=True)
    manifest: dict[str, Any] = dict(release.manifest)
    for name, graph in release.graphs.items():
        write_bytes(to / name, graph)
    if release.presets:
        codes = packed(release.presets)
        write_bytes(to / releases.PRESETS, codes)
        manifest["files"] = manifest["files"] | {releases.PRESETS: _listed(codes)}
    write_text(to / releases.MANIFEST, json.dumps(manifest, indent=2) + "\n")


def _exchanged(base: Release, name: str, stylizer: Stylizer) -> bytes:
    model = onnx.load_model_from_string(base.graphs[name])
    weights = {key: value.numpy() for key, value in stylizer.state_dict().items()}
    wanted = {key for key in weights if name == releases.STYLIZE_GRAPH or key.startswith("encoder.")}
    changed = False
    for initializer in model.graph.initializer:
        key = _torch_name(initializer.name, name)
        if key not in wanted:
            continue
        tensor = numpy_helper.from_array(weights[key], initializer.name)
        if tuple(tensor.dims) != tuple(initializer.dims) or tensor.data_type != initializer.data_type:
            raise ReleaseError(f"release {base.version} has {key} in another shape")
        changed = changed or tensor.raw_data != initializer.raw_data
        initializer.CopyFrom(tensor)
        wanted.discard(key)
    if wanted:
        raise ReleaseError(f"release {base.version} lacks the weights {', '.join(sorted(wanted)[:3])}")
    if changed and name == releases.STYLE_GRAPH:
        raise ReleaseError(f"release {base.version} has another encoder")
    return model.SerializeToString() if changed else base.graphs[name]


def _torch_name(name: str, graph: str) -> str:
    for prefix in _PREFIXES[graph]:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def _listed(data: bytes) -> dict[str, Any]:
    return {"sha256": releases.sha256(data), "bytes": len(data)}
