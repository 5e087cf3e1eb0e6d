"""Releases that differ from another in one thing, good or bad, and are vouched for by a manifest of their own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, external_data_helper, numpy_helper

from mvstylizer.release import MANIFEST, STYLIZE_GRAPH, sha256

Change = Callable[[ModelProto], object]


def changed_release(
    source: Path, to: Path, version: str, change: Change | None = None, graph: str = STYLIZE_GRAPH
) -> Path:
    """A copy under another version, with one graph changed."""
    shutil.copytree(source, to)
    manifest = json.loads((to / MANIFEST).read_text())
    manifest["version"] = version
    if change is not None:
        model = onnx.load_model_from_string((to / graph).read_bytes())
        change(model)
        data = model.SerializeToString()
        (to / graph).write_bytes(data)
        manifest["files"][graph] = {"sha256": sha256(data), "bytes": len(data)}
    (to / MANIFEST).write_text(json.dumps(manifest))
    return to


def constant(name: str, value: float) -> Change:
    """Gives one of the tiny release's constants another value."""

    def change(model: ModelProto) -> None:
        tensor = _initializer(model, name)
        tensor.CopyFrom(numpy_helper.from_array(np.array(value, np.float32), name))

    return change


def together(*changes: Change) -> Change:
    """One after the other."""
    return lambda model: [change(model) for change in changes]


def padded(size: int) -> Change:
    """Makes the file larger by so many bytes, for whatever takes time to be written."""
    return lambda model: setattr(model, "doc_string", "x" * size)


def values_in(location: str, name: str = "zero") -> Change:
    """Lets a constant's values lie in another file."""

    def change(model: ModelProto) -> None:
        tensor = _initializer(model, name)
        external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL

    return change


def renamed_input(old: str, new: str) -> Change:
    """Gives an input another name, in a graph that is whole all the same."""

    def change(model: ModelProto) -> None:
        for each in model.graph.input:
            each.name = new if each.name == old else each.name
        for node in model.graph.node:
            node.input[:] = [new if each == old else each for each in node.input]

    return change


def _initializer(model: ModelProto, name: str) -> TensorProto:
    found: TensorProto = next(each for each in model.graph.initializer if each.name == name)
    return found
