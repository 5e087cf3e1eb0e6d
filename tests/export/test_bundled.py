"""The bundled release and the checkpoint in the repo belong together."""

from pathlib import Path

from export.parity import TOLERANCE, check_parity
from mvstylizer import release as releases
from mvstylizer.training.distill import encoder_from
from mvstylizer.training.loop import load_stylizer

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def test_the_bundled_release_is_the_checkpoints() -> None:
    """ONNX Runtime on the bundled graphs gives what torch gives on the committed weights."""
    stylizer, saved = load_stylizer(CHECKPOINTS / "stylizer")
    release = releases.load(releases.bundled())
    assert release.manifest["training"] == saved.config["training"]
    graphs = release.graphs
    assert check_parity(stylizer, graphs[releases.STYLE_GRAPH], graphs[releases.STYLIZE_GRAPH]) <= TOLERANCE


def test_the_stylizer_was_trained_around_the_encoder() -> None:
    """The stylizer's frozen encoder is the distilled one, to the last bit."""
    stylizer, _ = load_stylizer(CHECKPOINTS / "stylizer")
    encoder = encoder_from(CHECKPOINTS / "encoder").state_dict()
    assert all(bool((weights == encoder[name]).all()) for name, weights in stylizer.encoder.state_dict().items())
