"""Optical flow of textured pictures whose motion is known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.flow import FlowName, estimator, luma, sample
from tests.scenes import texture

NAMES: list[FlowName] = ["dis", "lucas-kanade", "farneback"]
HEIGHT, WIDTH = 90, 160
INSIDE = np.s_[16:-16, 16:-16]


def grey(height: int = HEIGHT, width: int = WIDTH, seed: int = 1) -> NDArray[np.uint8]:
    return luma(texture(height, width, seed, softness=3))


def pulled(picture: NDArray[np.uint8], flow: NDArray[np.float32]) -> NDArray[np.uint8]:
    """``picture(p + flow(p))``, bicubic, by other means than the code under test uses."""
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    moved = cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def error(found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Mean distance in pixels, away from the border."""
    return float(np.linalg.norm((found - true)[INSIDE], axis=-1).mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [(3.0, 0.0), (0.0, -2.0), (-4.5, 2.5), (0.0, 0.0)])
def test_a_translation_is_found(name: FlowName, shift: tuple[float, float]) -> None:
    """The flow is where to look in the key frame, in pixels, x then y: frame(p) = key(p + flow(p))."""
    key = grey()
    true = np.broadcast_to(np.array(shift, np.float32), (HEIGHT, WIDTH, 2))
    found = estimator(name)(pulled(key, true), key)
    assert found.shape == (HEIGHT, WIDTH, 2) and found.dtype == np.float32
    assert error(found, true) < 0.25


@pytest.mark.parametrize("name", NAMES)
def test_a_zoom_is_found(name: FlowName) -> None:
    """A zoom by 4 % about the centre is found everywhere but at the border."""
    key = grey()
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    true = np.dstack([x - WIDTH / 2, y - HEIGHT / 2]) * np.float32(0.04)
    assert error(estimator(name)(pulled(key, true), key), true) < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_sampling_along_the_flow_rebuilds_the_frame(name: FlowName) -> None:
    """The estimate and ``sample`` agree on the direction: the moved key frame looks like the frame."""
    key = grey()
    frame = pulled(key, np.full((HEIGHT, WIDTH, 2), (5, -3), np.float32))
    rebuilt = sample(key, estimator(name)(frame, key))
    before = cv2.absdiff(key, frame)[INSIDE].mean()
    assert cv2.absdiff(rebuilt, frame)[INSIDE].mean() < 0.1 * before


def test_sample_pulls() -> None:
    """``sample`` looks up p + flow(p), between pixels bilinearly, and repeats the border beyond it."""
    picture = np.arange(20, dtype=np.float32).reshape(4, 5)
    flow = np.zeros((4, 5, 2), np.float32)
    flow[1, 2] = 1, 2  # x, y
    flow[0, 0] = 0.5, 0.25
    flow[3, 4] = 100, 100
    expected = picture.copy()
    expected[1, 2], expected[0, 0], expected[3, 4] = picture[3, 3], 0.5 + 0.25 * 5, picture[3, 4]
    np.testing.assert_allclose(sample(picture, flow), expected, atol=0.02)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sample_takes_several_channels(channels: int) -> None:
    """All channels move alike, also of uint8 pictures."""
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, channels), np.uint8)
    flow = np.full((9, 12, 2), (1, 0), np.float32)
    moved = sample(picture, flow)
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved[:, :-1], picture[:, 1:])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (9, 12), (12, 9), (9, 200), (8, 512), (512, 1), (31, 33)])
def test_tiny_and_narrow_pictures_have_a_flow_too(name: FlowName, shape: tuple[int, int]) -> None:
    """No size is too small: the flow is finite, of the picture's size, and small where nothing moves."""
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    flow = estimator(name)(picture, picture)
    assert flow.shape == (*shape, 2)
    assert np.isfinite(flow).all()
    assert np.median(np.abs(flow)) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_without_structure_has_a_finite_flow(name: FlowName) -> None:
    """A flat picture, where no motion can be seen, gives small numbers and neither NaN nor an error."""
    flow = estimator(name)(np.full((40, 60), 90, np.uint8), np.full((40, 60), 93, np.uint8))
    assert np.isfinite(flow).all()
    assert np.abs(flow).max() < 1


def test_luma_is_grey() -> None:
    """Neutral colours keep their value."""
    picture = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    np.testing.assert_array_equal(luma(picture), picture[..., 0])
