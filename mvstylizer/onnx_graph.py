"""Looks into an ONNX model without the onnx package and before ONNX Runtime does: whether it stays within its own file.

A tensor of a model may name a file that its values are read from (CVE-2022-25882 and later ones), so none may here.
Walks protobuf's wire format strictly: what is not well formed, or could be read in two ways, is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mvstylizer.errors import ReleaseError

MAX_FIELDS = 1_000_000
"""Of a model; the larger graph of the bundled release has twelve thousand."""
MAX_DEPTH = 100
"""Messages within messages, as protobuf itself bounds them."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MAX_KEY = 2**32 - 1
_ORT_MARK = b"ORTM"

# Field numbers of onnx.proto: every way that leads from a model to a tensor.
CHILDREN = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto",
        22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}  # fmt: skip
_GRAPH, _INPUT, _OUTPUT = 7, 11, 12
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14

Field = tuple[int, int, int | memoryview]
"""Number, wire type and value of a field."""


@dataclass(frozen=True)
class Signature:
    """What goes into a model and what comes out: shapes by name, None for a size that the model leaves open."""

    inputs: dict[str, tuple[int | None, ...]]
    outputs: dict[str, tuple[int | None, ...]]


def inspect(model: bytes, source: str) -> Signature:
    """The signature of a model that holds all its values itself; ``source`` is what messages call it.

    Raises:
        ReleaseError: a tensor's values lie in another file, or the bytes are no model.
    """
    try:
        # ONNX Runtime would read such a file in its own format, whatever else it is.
        if model[4:8] == _ORT_MARK:
            raise _Malformed("it is in ONNX Runtime's own format")
        _refuse_external_data(memoryview(model), source)
        return _signature(memoryview(model))
    except _Malformed as error:
        raise ReleaseError(f"{source} is no ONNX model of this project's making ({error}); export it again") from error


class _Malformed(Exception):
    """The bytes break a rule of the wire format, or a bound."""


def _refuse_external_data(model: memoryview, source: str) -> None:
    left, waiting = MAX_FIELDS, [("ModelProto", model, 0)]
    while waiting:
        kind, data, depth = waiting.pop()
        for number, wire, value in _fields(data):
            left -= 1
            if not left:
                raise _Malformed(f"more than {MAX_FIELDS} fields")
            if kind == "TensorProto" and _is_external(number, wire, value):
                raise ReleaseError(f"{source} takes values from another file, which no release may; export it again")
            child = CHILDREN[kind].get(number)
            if child is not None:
                if depth == MAX_DEPTH:
                    raise _Malformed(f"more than {MAX_DEPTH} messages within each other")
                waiting.append((child, _message(value), depth + 1))


def _is_external(number: int, wire: int, value: int | memoryview) -> bool:
    return number == _EXTERNAL_DATA or (number == _DATA_LOCATION and (wire, value) != (_VARINT, 0))


def _signature(model: memoryview) -> Signature:
    found = Signature({}, {})
    for graph in _children(model, _GRAPH):
        for number, _, value in _fields(graph):
            if number in (_INPUT, _OUTPUT):
                name, shape = _value_info(_message(value))
                (found.inputs if number == _INPUT else found.outputs)[name] = shape
    return found


def _value_info(info: memoryview) -> tuple[str, tuple[int | None, ...]]:
    """Name (field 1) and shape (type 2 → tensor_type 1 → shape 2 → dim 1 → dim_value 1)."""
    names = [bytes(name).decode(errors="replace") for name in _children(info, 1)]
    if len(names) != 1:
        raise _Malformed("an input or output without a name of its own")
    levels = [info]
    for number in (2, 1, 2, 1):
        levels = [child for level in levels for child in _children(level, number)]
    return names[0], tuple(_size(dimension) for dimension in levels)


def _size(dimension: memoryview) -> int | None:
    values = [value for number, wire, value in _fields(dimension) if (number, wire) == (1, _VARINT)]
    return values[-1] if values and isinstance(values[-1], int) else None


def _children(data: memoryview, number: int) -> list[memoryview]:
    return [_message(value) for each, _, value in _fields(data) if each == number]


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Malformed("a number where a message should be")
    return value


def _fields(data: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not number or key > _MAX_KEY:
            raise _Malformed(f"a field of number {number}")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise _Malformed(f"a field of wire type {wire}")
        if size > len(data) - at:
            raise _Malformed("it ends within a field")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at ``at``, and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise _Malformed("it ends within a number, or the number does not end")
