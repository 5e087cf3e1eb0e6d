"""The two graphs of a release: names, free sizes, and nothing outside the file."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto

from export.graphs import OPSET
from mvstylizer.release import GRAPHS, STYLE_GRAPH, STYLIZE_GRAPH, output_shape
from tests.networks import Exported, smooth_picture

Shape = list[int | str | None]


def session(exported: Exported, graph: str) -> ort.InferenceSession:
    return ort.InferenceSession((exported.directory / graph).read_bytes(), providers=["CPUExecutionProvider"])


def model(exported: Exported, graph: str) -> onnx.ModelProto:
    return onnx.load_model_from_string((exported.directory / graph).read_bytes())


def shapes(values: list[ort.NodeArg]) -> dict[str, Shape]:
    """Shapes by name, every free side as ``free``."""
    return {v.name: [side if isinstance(side, int) else "free" for side in v.shape] for v in values}


def test_names_and_shapes_are_the_manifests(exported: Exported) -> None:
    """Inputs and outputs have the names that the engine uses; height, width and nothing else of the inputs is free."""
    style, stylize = session(exported, STYLE_GRAPH), session(exported, STYLIZE_GRAPH)
    size = exported.stylizer.code_size
    assert shapes(style.get_inputs()) == {"photo": [1, 3, "free", "free"]}
    assert shapes(style.get_outputs()) == {"code": [1, size]}
    assert shapes(stylize.get_inputs()) == {"frame": [1, 3, "free", "free"], "code": [1, size], "r": []}
    (stylized,) = stylize.get_outputs()
    assert stylized.name == "stylized" and len(stylized.shape) == 4 and stylized.shape[1] == 3
    assert not isinstance(stylized.shape[2], int) and not isinstance(stylized.shape[3], int)
    assert {v.type for s in (style, stylize) for v in (*s.get_inputs(), *s.get_outputs())} == {"tensor(float)"}


@pytest.mark.parametrize("graph", GRAPHS)
def test_everything_is_in_the_file(exported: Exported, graph: str) -> None:
    """Each graph is valid, of one opset, and holds its weights itself, without the exporter's notes."""
    loaded = model(exported, graph)
    onnx.checker.check_model(loaded, full_check=True)
    assert [(each.domain, each.version) for each in loaded.opset_import if each.domain == ""] == [("", OPSET)]
    weights = loaded.graph.initializer
    assert weights and all(w.data_location != TensorProto.EXTERNAL and not w.external_data for w in weights)
    assert not any(node.metadata_props or node.doc_string for node in loaded.graph.node)
    assert str(exported.directory.parent) not in str(loaded.graph.node)


def stylized(exported: Exported, height: int, width: int, r: float) -> tuple[NDArray[np.float32], torch.Tensor]:
    """ONNX Runtime's and torch's result for the same picture and code."""
    picture, photo = smooth_picture(height, width, 1), smooth_picture(31, 47, 2)
    with torch.no_grad():
        code = exported.stylizer.encode_style(photo)
        expected = exported.stylizer(picture, code, r)
    (exported_code,) = session(exported, STYLE_GRAPH).run(None, {"photo": photo.numpy()})
    np.testing.assert_allclose(exported_code, code.numpy(), rtol=1e-3, atol=1e-4)
    feeds = {"frame": picture.numpy(), "code": exported_code, "r": np.array(r, np.float32)}
    (result,) = session(exported, STYLIZE_GRAPH).run(None, feeds)
    return result, expected


@pytest.mark.parametrize(
    ("size", "r"), [((1, 1), 1.0), ((5, 7), 3.75), ((101, 67), 1.7), ((40, 64), 0.5), ((9, 90), 0.01)]
)
def test_any_size_and_factor_is_torchs(exported: Exported, size: tuple[int, int], r: float) -> None:
    """From one pixel on, for every r, the graphs give what torch gives, clamped to 0..1."""
    result, expected = stylized(exported, *size, r)
    assert result.shape == (1, 3, *output_shape(*size, r))
    assert result.min() >= 0 and result.max() <= 1
    assert expected.std() > 0.01 or expected.numel() < 10
    np.testing.assert_allclose(result, expected.clamp(0, 1).numpy(), atol=1e-3)


@pytest.mark.parametrize("r", [0.1, 0.25, 0.7, 1.05, 1.3, 2.5])
def test_sizes_on_the_half_agree(exported: Exported, r: float) -> None:
    """Where r·size lies next to a half, graph, torch and release round to the same size."""
    run = session(exported, STYLIZE_GRAPH)
    code = np.zeros((1, exported.stylizer.code_size), np.float32)
    for height, width in ((10, 30), (5, 15), (50, 1)):
        feeds = {"frame": np.zeros((1, 3, height, width), np.float32), "code": code, "r": np.array(r, np.float32)}
        (result,) = run.run(None, feeds)
        assert result.shape[2:] == output_shape(height, width, r)
