"""A release that is real in every part but its size: ONNX Runtime runs it in a few milliseconds.

The style code is the photo's mean and standard deviation per channel; a frame gets the photo's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from mvstylizer.presets import packed
from mvstylizer.release import FORMAT, GRAPHS, MANIFEST, PRESETS, STYLE_GRAPH, STYLIZE_GRAPH, sha256

CODE_SIZE = 6
TINY_PRESETS = {
    "cold-light": np.array([0.3, 0.4, 0.7, 0.1, 0.1, 0.1], np.float32),
    "warm-light": np.array([0.7, 0.5, 0.2, 0.1, 0.1, 0.1], np.float32),
}
"""Mean and deviation of red, green and blue."""
_OPSET = 18
_IR_VERSION = 10


def write_tiny_release(directory: Path) -> Path:
    """Write the release into a new directory and return it."""
    directory.mkdir()
    graphs = {STYLE_GRAPH: _style(), STYLIZE_GRAPH: _stylize()}
    files = {}
    for name in GRAPHS:
        checker.check_model(graphs[name])
        data = graphs[name].SerializeToString()
        (directory / name).write_bytes(data)
        files[name] = {"sha256": sha256(data), "bytes": len(data)}
    manifest = {"format": FORMAT, "version": "tiny-1", "code_size": CODE_SIZE, "files": files}
    (directory / MANIFEST).write_text(json.dumps(manifest))
    return directory


def add_tiny_presets(directory: Path) -> None:
    """Give a release that was written here ``TINY_PRESETS``; the first is described, the second is not."""
    data = packed(TINY_PRESETS)
    (directory / PRESETS).write_bytes(data)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][PRESETS] = {"sha256": sha256(data), "bytes": len(data)}
    manifest["presets"] = {"cold-light": {"description": "Blue as snow"}, "warm-light": {"description": ""}}
    (directory / MANIFEST).write_text(json.dumps(manifest))


def _statistics(picture: str) -> list[NodeProto]:
    """Nodes for ``picture``'s mean and deviation, (1, 3, 1, 1) each, and its difference from the mean."""
    return [
        helper.make_node("ReduceMean", [picture, "plane_axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", [picture, "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "plane_axes"], ["variance"], keepdims=1),
        helper.make_node("Add", ["variance", "tiny"], ["safe_variance"]),
        helper.make_node("Sqrt", ["safe_variance"], ["deviation"]),
    ]


def _style() -> ModelProto:
    nodes = [
        *_statistics("photo"),
        helper.make_node("Concat", ["mean", "deviation"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["code"]),
    ]
    inputs = [helper.make_tensor_value_info("photo", TensorProto.FLOAT, [1, 3, "h", "w"])]
    return _model("style", nodes, inputs, helper.make_tensor_value_info("code", TensorProto.FLOAT, [1, CODE_SIZE]))


def _stylize() -> ModelProto:
    nodes = [
        *_statistics("frame"),
        helper.make_node("Reshape", ["code", "code_shape"], ["code_planes"]),
        helper.make_node("Split", ["code_planes"], ["new_mean", "new_deviation"], axis=1, num_outputs=2),
        helper.make_node("Div", ["new_deviation", "deviation"], ["gain"]),
        helper.make_node("Mul", ["centred", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "new_mean"], ["recoloured"]),
        helper.make_node("Shape", ["frame"], ["shape"], start=2),
        helper.make_node("Cast", ["shape"], ["real_shape"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real_shape", "r"], ["real_sides"]),
        helper.make_node("Round", ["real_sides"], ["round_sides"]),
        helper.make_node("Max", ["round_sides", "one"], ["at_least_one"]),
        helper.make_node("Cast", ["at_least_one"], ["sides"], to=TensorProto.INT64),
        helper.make_node("Concat", ["leading", "sides"], ["sizes"], axis=0),
        helper.make_node("Resize", ["recoloured", "", "", "sizes"], ["resized"], mode="linear"),
        helper.make_node("Clip", ["resized", "zero", "one"], ["stylized"]),
    ]
    inputs = [
        helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, 3, "h", "w"]),
        helper.make_tensor_value_info("code", TensorProto.FLOAT, [1, CODE_SIZE]),
        helper.make_tensor_value_info("r", TensorProto.FLOAT, []),
    ]
    output = helper.make_tensor_value_info("stylized", TensorProto.FLOAT, [1, 3, "oh", "ow"])
    return _model("stylize", nodes, inputs, output)


def _model(name: str, nodes: list[NodeProto], inputs: list[ValueInfoProto], output: ValueInfoProto) -> ModelProto:
    constants: dict[str, NDArray[Any]] = {
        "plane_axes": np.array([2, 3], np.int64),
        "tiny": np.array(1e-5, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "leading": np.array([1, 3], np.int64),
        "code_shape": np.array([1, CODE_SIZE, 1, 1], np.int64),
    }
    used = {each for node in nodes for each in node.input}
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items() if key in used]
    graph = helper.make_graph(nodes, name, inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
