"""The two ONNX graphs of a release, made from a torch stylizer.

``style.onnx``: photo (1, 3, H, W) → code (1, code_size). ``stylize.onnx``: frame (1, 3, H, W), code (1, code_size) and
the scalar r → stylized (1, 3, round(r·H), round(r·W)). Pictures are RGB float32 in 0..1; H, W and r are free.
"""

import logging
import warnings

import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import Tensor, nn

from mvstylizer.network.stylizer import Stylizer

OPSET = 20
_EXAMPLE = (1, 3, 96, 120)


class _Style(nn.Module):
    def __init__(self, stylizer: Stylizer) -> None:
        super().__init__()
        self.stylizer = stylizer

    def forward(self, photo: Tensor) -> Tensor:
        return self.stylizer.encode_style(photo)


class _Decode(nn.Module):
    def __init__(self, stylizer: Stylizer) -> None:
        super().__init__()
        self.stylizer = stylizer

    def forward(self, frame: Tensor, code: Tensor) -> Tensor:
        return self.stylizer.decode(frame, code)


class _Smooth(nn.Module):
    def __init__(self, stylizer: Stylizer) -> None:
        super().__init__()
        self.smoothing = stylizer.smoothing

    def forward(self, resampled: Tensor) -> Tensor:
        return self.smoothing.smooth(resampled).clamp(0, 1)


def style_graph(stylizer: Stylizer) -> bytes:
    """``style.onnx``, serialised."""
    return _finished(_exported(_Style(stylizer), {"photo": torch.rand(_EXAMPLE)}, "code", {"photo"}))


def stylize_graph(stylizer: Stylizer) -> bytes:
    """``stylize.onnx``, serialised: decoder's picture, resampled by r, smoothed and clamped."""
    code = torch.rand(1, stylizer.code_size)
    decode = _exported(_Decode(stylizer), {"frame": torch.rand(_EXAMPLE), "code": code}, "decoded", {"frame"})
    smooth = _exported(_Smooth(stylizer), {"resampled": torch.rand(_EXAMPLE)}, "stylized", {"resampled"})
    resample = _resample_graph(decode.ir_version)
    whole = compose.merge_models(decode, resample, [("decoded", "decoded")], prefix1="decode/", prefix2="resample/")
    whole = compose.merge_models(whole, smooth, [("resample/resampled", "resampled")], prefix2="smooth/")
    return _finished(_renamed(whole, {"decode/frame": "frame", "decode/code": "code", "resample/r": "r",
                                      "smooth/stylized": "stylized"}))  # fmt: skip


def _exported(module: nn.Module, inputs: dict[str, Tensor], output: str, dynamic: set[str]) -> onnx.ModelProto:
    height, width = torch.export.Dim("height", min=1, max=16384), torch.export.Dim("width", min=1, max=16384)
    shapes = {name: {2: height, 3: width} if name in dynamic else None for name in inputs}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its own deprecations; parity with torch is checked on the result.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), tuple(inputs.values()), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(inputs), output_names=[output], dynamic_shapes=tuple(shapes.values()),
        )  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    return program.model_proto


def _resample_graph(ir_version: int) -> onnx.ModelProto:
    """``mvstylizer.network.smoothing.resample`` in ONNX's words: the new size follows from the input r."""
    nodes = [
        helper.make_node("Shape", ["decoded"], ["sides"], start=2, end=4),
        helper.make_node("Cast", ["sides"], ["float_sides"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float_sides", "r"], ["scaled"]),
        helper.make_node("Round", ["scaled"], ["rounded"]),
        helper.make_node("Max", ["rounded", "one"], ["new_sides"]),
        helper.make_node("Split", ["float_sides"], ["height", "width"], num_outputs=2),
        helper.make_node("Split", ["new_sides"], ["new_height", "new_width"], num_outputs=2),
        *_triangle_weights("height", "new_height", "rows"),
        *_triangle_weights("width", "new_width", "columns"),
        helper.make_node("Transpose", ["columns"], ["columns_transposed"], perm=[1, 0]),
        helper.make_node("MatMul", ["rows", "decoded"], ["rows_resampled"]),
        helper.make_node("MatMul", ["rows_resampled", "columns_transposed"], ["resampled"]),
    ]
    inputs = [
        helper.make_tensor_value_info("decoded", TensorProto.FLOAT, ["batch", 3, "decoded_height", "decoded_width"]),
        helper.make_tensor_value_info("r", TensorProto.FLOAT, []),
    ]
    outputs = [helper.make_tensor_value_info("resampled", TensorProto.FLOAT, ["batch", 3, None, None])]
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
        helper.make_tensor("range_start", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("range_step", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("last_axis", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(nodes, "resample", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=ir_version)


def _triangle_weights(size: str, new_size: str, output: str) -> list[onnx.NodeProto]:
    """``triangle_weights`` for two float tensors of one element each."""

    def node(kind: str, inputs: list[str], name: str) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [name if name == output else f"{output}/{name}"])

    def own(name: str) -> str:
        return f"{output}/{name}"

    return [
        node("Squeeze", [size], "count"),
        node("Squeeze", [new_size], "new_count"),
        node("Div", [own("count"), own("new_count")], "step"),
        node("Range", ["range_start", own("new_count"), "range_step"], "targets"),
        node("Add", [own("targets"), "half"], "target_centres"),
        node("Mul", [own("target_centres"), own("step")], "scaled_centres"),
        node("Sub", [own("scaled_centres"), "half"], "centres"),
        node("Unsqueeze", [own("centres"), "last_axis"], "centre_column"),
        node("Range", ["range_start", own("count"), "range_step"], "sources"),
        node("Sub", [own("centre_column"), own("sources")], "differences"),
        node("Abs", [own("differences")], "distances"),
        node("Max", [own("step"), "one"], "support"),
        node("Div", [own("distances"), own("support")], "relative"),
        node("Sub", ["one", own("relative")], "triangle"),
        node("Relu", [own("triangle")], "weights"),
        node("ReduceSum", [own("weights"), "last_axis"], "sums"),
        node("Div", [own("weights"), own("sums")], output),
    ]


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """The model with its inputs and outputs under plain names."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
    return model


def _finished(model: onnx.ModelProto) -> bytes:
    """Checked, and stripped of the exporter's notes, which would quadruple a small model."""
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    # Merging names a domain once for every part, which the specification does not allow.
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in opsets.items())
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString()
    return serialised
