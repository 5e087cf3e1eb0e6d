"""Models are inspected without the onnx package: no way from a model to another file is overlooked, nothing hangs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mvstylizer import onnx_graph
from mvstylizer.errors import ReleaseError
from mvstylizer.onnx_graph import CHILDREN, inspect
from mvstylizer.release import STYLE_GRAPH, STYLIZE_GRAPH
from tests.tiny_release import CODE_SIZE, write_tiny_release

HERE = numpy_helper.from_array(np.zeros(3, np.float32), "here")
ELSEWHERE = TensorProto(name="elsewhere", dims=[3], data_type=TensorProto.FLOAT)
ELSEWHERE.data_location = TensorProto.EXTERNAL
ELSEWHERE.external_data.add(key="location", value="/etc/hostname")


def test_signatures_are_read(tmp_path: Path) -> None:
    """Names and shapes of what goes in and out, with sizes that are open as None; a scalar has no sizes."""
    directory = write_tiny_release(tmp_path / "release")
    style = inspect((directory / STYLE_GRAPH).read_bytes(), "it")
    assert (style.inputs, style.outputs) == ({"photo": (1, 3, None, None)}, {"code": (1, CODE_SIZE)})
    stylize = inspect((directory / STYLIZE_GRAPH).read_bytes(), "it")
    assert stylize.inputs == {"frame": (1, 3, None, None), "code": (1, CODE_SIZE), "r": ()}
    assert stylize.outputs == {"stylized": (1, 3, None, None)}


def test_every_way_to_a_tensor_is_walked() -> None:
    """The table of fields is that of the onnx package: every message field from which a tensor can be reached."""
    ways: dict[str, dict[int, str]] = {"TensorProto": {}}
    waiting = [onnx.ModelProto.DESCRIPTOR]
    fields = {}
    while waiting:
        message = waiting.pop()
        if message.name not in fields:
            fields[message.name] = {each.number: each.message_type for each in message.fields if each.message_type}
            waiting += fields[message.name].values()
    grown = True
    while grown:
        before = str(ways)
        for name, children in fields.items():
            found = {number: child.name for number, child in children.items() if child.name in ways}
            if found and name != "TensorProto":
                ways[name] = found
        grown = str(ways) != before
    assert ways == CHILDREN


def _model(node: onnx.NodeProto, *initializers: TensorProto) -> ModelProto:
    return helper.make_model(helper.make_graph([node], "g", [], [], initializers))


def _attribute(tensor: TensorProto) -> ModelProto:
    return _model(helper.make_node("Constant", [], ["out"], value=tensor))


def _initializer(tensor: TensorProto) -> ModelProto:
    return _model(helper.make_node("Identity", ["x"], ["y"]), HERE, tensor)


def _sparse(tensor: TensorProto) -> ModelProto:
    model = _initializer(HERE)
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(HERE)
    sparse.indices.CopyFrom(tensor)
    return model


def _subgraph(tensor: TensorProto) -> ModelProto:
    inner = _attribute(HERE).graph
    for _ in range(8):
        branch = helper.make_graph([helper.make_node("If", ["c"], ["o"], then_branch=inner)], "g", [], [])
        inner = branch
    innermost = inner
    while innermost.node[0].op_type == "If":
        innermost = innermost.node[0].attribute[0].g
    innermost.initializer.append(tensor)
    return helper.make_model(inner)


def _function(tensor: TensorProto) -> ModelProto:
    model = _initializer(HERE)
    function = model.functions.add()
    function.node.append(helper.make_node("Constant", [], ["out"], value=tensor))
    return model


def _training(tensor: TensorProto) -> ModelProto:
    model = _initializer(HERE)
    model.training_info.add().initialization.initializer.append(tensor)
    return model


PLACES = [_attribute, _initializer, _sparse, _subgraph, _function, _training]


@pytest.mark.parametrize("place", PLACES)
def test_values_elsewhere_are_refused_wherever_they_hide(place: Callable[[TensorProto], ModelProto]) -> None:
    """Initializers, sparse ones, attributes, subgraphs, functions, training: and none is refused without them."""
    inspect(place(HERE).SerializeToString(), "it")
    marked_only, named_only = TensorProto(), TensorProto()
    marked_only.data_location = TensorProto.EXTERNAL
    named_only.external_data.add(key="location", value="x")
    for tensor in (ELSEWHERE, marked_only, named_only):
        with pytest.raises(ReleaseError, match=r"^a\.onnx takes values from another file"):
            inspect(place(tensor).SerializeToString(), "a.onnx")


def test_a_second_graph_is_looked_into_too() -> None:
    """Protobuf merges a field that comes twice, so both are read."""
    with pytest.raises(ReleaseError, match="another file"):
        inspect(_initializer(HERE).SerializeToString() + _initializer(ELSEWHERE).SerializeToString(), "it")


def _length(size: int) -> bytes:
    digits = b""
    while size >= 0x80:
        digits += bytes([size & 0x7F | 0x80])
        size >>= 7
    return digits + bytes([size])


def _within(inner: bytes, times: int) -> bytes:
    """Graphs in attributes of nodes of graphs …"""
    for _ in range(times):
        for key in (0x32, 0x2A, 0x0A):
            inner = bytes([key]) + _length(len(inner)) + inner
    return b"\x3a" + _length(len(inner)) + inner


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x3a", "ends within"),
        (b"\x3a\x05abc", "ends within a field"),
        (b"\x3a" + b"\xff" * 9 + b"\x01", "ends within a field"),
        (b"\x3a" + b"\xff" * 11, "does not end"),
        (b"\x08" + b"\xff" * 20, "does not end"),
        (b"\x09abc", "ends within a field"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x00\x00", "number 0"),
        (b"\x80\x80\x80\x80\x80\x01\x00", "number"),
        (b"\x38\x01", "number where a message"),
        (b"\x00\x00\x00\x00ORTM", "own format"),
        (_within(b"", 40), "100 messages"),
        (b"\x08\x01" * (onnx_graph.MAX_FIELDS + 1), "fields"),
        (b"\x3a\x02\x5a\x00", "without a name"),
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes, words: str) -> None:
    """Each in a moment, by a ReleaseError of one line that names the file."""
    with pytest.raises(ReleaseError, match=words) as caught:
        inspect(data, "some.onnx")
    assert str(caught.value).startswith("some.onnx is no ONNX model") and "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    """Whatever the bytes, the answer is a signature or a ReleaseError."""
    try:
        inspect(data, "it")
    except ReleaseError:
        return


@settings(max_examples=150, deadline=None, database=None)
@given(st.data())
def test_damage_never_hides_values_elsewhere(data: st.DataObject) -> None:
    """Where the onnx package still finds values in another file in a damaged model, so does this."""
    whole = bytearray(_subgraph(ELSEWHERE).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = onnx.load_model_from_string(bytes(whole))
    except Exception:  # protobuf's own class differs from version to version
        return
    graph = model.graph
    while graph.node and graph.node[0].op_type == "If" and graph.node[0].attribute:
        graph = graph.node[0].attribute[0].g
    if any(each.data_location == TensorProto.EXTERNAL or each.external_data for each in graph.initializer):
        with pytest.raises(ReleaseError):
            inspect(bytes(whole), "it")
