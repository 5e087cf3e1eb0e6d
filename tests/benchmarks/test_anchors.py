"""Classic colour transfer: what it does to colours, and that it is what others mean by its names."""

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.anchors import ANCHORS, Anchor, identity, mkl, reinhard
from mvstylizer.pictures import fit_within, read_picture
from tests.scenes import texture

SHARED = Path(__file__).resolve().parents[3] / "shared"

Picture = NDArray[np.float32]


@pytest.fixture
def content() -> Picture:
    """Soft colours around grey, far from both ends so that nothing is clipped."""
    return np.asarray(0.4 + 0.2 * texture(60, 80, seed=1) / 255, np.float32)


@pytest.fixture
def style() -> Picture:
    """Colours that go together, of another shape."""
    mixed = texture(50, 40, seed=2) / 255 @ np.array([[0.3, 0.1, 0.0], [0.1, 0.2, 0.1], [0.0, 0.05, 0.15]])
    return np.asarray(0.3 + mixed / 2, np.float32)


def statistics(pixels: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flat = pixels.reshape(-1, 3).astype(np.float64)
    return flat.mean(0), np.cov(flat.T)


@pytest.mark.parametrize("name", ANCHORS)
def test_every_anchor_gives_a_picture_of_the_contents_shape(name: str, content: Picture) -> None:
    """A new float32 picture within 0..1, even where the style is too bright to be reached, and the content unharmed."""
    before = content.copy()
    glaring = np.asarray(texture(20, 30) > 128, np.float32)
    result = ANCHORS[name](content, glaring)
    assert result.shape == content.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    assert result is not content and np.array_equal(content, before)


def test_identity_keeps_the_content(content: Picture, style: Picture) -> None:
    """Every pixel stays."""
    assert np.array_equal(identity(content, style), content)


def test_mkl_reaches_mean_and_covariance(content: Picture, style: Picture) -> None:
    """The result's colours have the style's mean and covariance, which identity's and Reinhard's do not."""
    mean, covariance = statistics(style)
    got_mean, got_covariance = statistics(mkl(content, style))
    assert got_mean == pytest.approx(mean, abs=1e-6)
    assert got_covariance == pytest.approx(covariance, abs=1e-7)
    assert np.abs(statistics(reinhard(content, style))[1] - covariance).max() > 1e-5


def test_reinhard_reaches_mean_and_deviation_in_lab(content: Picture, style: Picture) -> None:
    """Each channel of CIE-Lab has the style's mean and standard deviation, as far as OpenCV's tables for it go."""
    result, wanted = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).reshape(-1, 3) for p in (reinhard(content, style), style))
    assert result.mean(0) == pytest.approx(wanted.mean(0), abs=0.2)
    assert result.std(0) == pytest.approx(wanted.std(0), rel=0.01)


@pytest.mark.parametrize("anchor", [mkl, reinhard])
def test_the_contents_own_style_changes_nothing(anchor: Anchor, content: Picture) -> None:
    """A picture in its own style is itself."""
    assert anchor(content, content) == pytest.approx(content, abs=2e-3)


@pytest.mark.parametrize("anchor", [mkl, reinhard])
def test_pictures_of_one_colour_are_no_division_by_zero(anchor: Anchor) -> None:
    """A grey picture in the style of a red one is that red, everywhere."""
    grey, red = np.full((8, 8, 3), 0.5, np.float32), np.full((6, 6, 3), (0.7, 0.2, 0.1), np.float32)
    assert anchor(grey, red) == pytest.approx(np.broadcast_to(red[0, 0], (8, 8, 3)), abs=2e-3)


@pytest.mark.parametrize("name", ANCHORS)
@pytest.mark.parametrize("pair", ["02", "24"])
def test_the_independent_anchors_agree(name: str, pair: str, independent: ModuleType) -> None:
    """Two implementations make the same picture of a real pair, to less than a tenth of an 8-bit step."""
    folder = SHARED / "data" / "eval" / "pairs"
    if not folder.exists():
        pytest.skip(f"{folder} is not on this machine")
    content, style = (
        np.asarray(fit_within(read_picture(folder / f"{pair}_{kind}.png"), 256) / 255, np.float32)
        for kind in ("content", "style")
    )
    other = independent.make(name.lower())
    other.prepare(style)
    assert np.abs(ANCHORS[name](content, style) - other(content)).max() < 0.1 / 255


@pytest.fixture(scope="session")
def independent() -> ModuleType:
    """The anchors as someone else wrote them."""
    source = SHARED / "score" / "anchors.py"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("independent_anchors", source)
    if spec is None or spec.loader is None:
        pytest.fail(f"{source} is not a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
