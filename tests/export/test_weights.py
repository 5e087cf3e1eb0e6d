"""From a release back to torch: the weights are those it was exported from, or there is no stylizer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper

from export.graphs import style_graph, stylize_graph
from export.weights import stylizer_of_release
from mvstylizer import release as releases
from mvstylizer.errors import ReleaseError
from mvstylizer.release import STYLE_GRAPH, STYLIZE_GRAPH
from mvstylizer.training.loop import load_stylizer
from tests.networks import Exported, smooth_picture

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def test_a_release_gives_back_its_weights(exported: Exported) -> None:
    """Every weight of an exported stylizer comes back to the last bit, and drawing numbers goes on as before."""
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    stylizer = stylizer_of_release(exported.directory)
    assert torch.equal(torch.rand(1), expected)
    assert stylizer.config == exported.stylizer.config and not stylizer.training
    original = exported.stylizer.state_dict()
    for name, value in stylizer.state_dict().items():
        assert torch.equal(value, original[name]), name


def test_the_bundled_release_gives_back_the_checkpoint() -> None:
    """What ships can be trained on: its weights are those of the committed checkpoint."""
    stylizer = stylizer_of_release(releases.load(releases.bundled()))
    original, _ = load_stylizer(CHECKPOINTS / "stylizer")
    for name, value in original.state_dict().items():
        assert torch.equal(stylizer.state_dict()[name], value), name


@pytest.mark.slow
def test_exported_again_it_makes_the_same_pictures(exported: Exported) -> None:
    """Release → torch → release: the second release's graphs give the first one's code and picture."""
    release = releases.load(exported.directory)
    stylizer = stylizer_of_release(release)
    again = {STYLE_GRAPH: style_graph(stylizer), STYLIZE_GRAPH: stylize_graph(stylizer)}
    frame = smooth_picture(48, 72).numpy()
    made = []
    for graphs in (release.graphs, again):
        (code,) = ort.InferenceSession(graphs[STYLE_GRAPH]).run(None, {"photo": frame[:, ::-1].copy()})
        feeds = {"frame": frame, "code": code, "r": np.array(1.5, np.float32)}
        made.append(ort.InferenceSession(graphs[STYLIZE_GRAPH]).run(None, feeds)[0])
    assert np.array_equal(*made)


def test_a_release_without_weights_is_refused(exported: Exported, tiny_release: Path) -> None:
    """Graphs that lack a weight, and a release that is no export of a stylizer, are a ReleaseError that says so."""
    release = releases.load(exported.directory)
    model = onnx.load_model_from_string(release.graphs[STYLIZE_GRAPH])
    lost = next(i for i in model.graph.initializer if i.name.endswith("to_grid.weight"))
    lost.name = "renamed"
    broken = replace(release, graphs=release.graphs | {STYLIZE_GRAPH: model.SerializeToString()})
    with pytest.raises(ReleaseError, match=r"lacks the weights decoder\.to_grid\.weight"):
        stylizer_of_release(broken)
    with pytest.raises(ReleaseError, match="does not say which stylizer"):
        stylizer_of_release(tiny_release)


def test_weights_that_are_not_the_graphs_are_refused(exported: Exported) -> None:
    """Where the two graphs hold different encoders, torch cannot give what both give: a ReleaseError."""
    release = releases.load(exported.directory)
    model = onnx.load_model_from_string(release.graphs[STYLE_GRAPH])
    weights = next(i for i in model.graph.initializer if i.name.endswith("conv1_1.weight"))
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * 2, weights.name))
    mixed = replace(release, graphs=release.graphs | {STYLE_GRAPH: model.SerializeToString()})
    with pytest.raises(ReleaseError, match="torch does not give"):
        stylizer_of_release(mixed)
