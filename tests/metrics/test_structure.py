"""What counts as lost or invented structure."""

from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.metrics import canny_ssim, edge_ssim, halo, luma_ssim

Picture = NDArray[np.float32]


def blurred(picture: Picture, sigma: float = 2.0) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def with_spot(picture: Picture, strength: float) -> Picture:
    """Brighter around one place, for no reason in the content."""
    rows, columns = np.indices(picture.shape[:2])
    glow = np.exp(-((rows - 70) ** 2 + (columns - 90) ** 2) / (2 * 12.0**2))
    return np.asarray(picture * 0.7 + strength * glow[..., None], np.float32)


def test_the_content_itself_loses_nothing(picture: Picture) -> None:
    """Every similarity of a picture with itself is 1, and there is hardly a halo."""
    for similarity in (edge_ssim, canny_ssim, luma_ssim):
        assert similarity(picture, picture) == pytest.approx(1, abs=1e-6)
    assert halo(picture, picture) < 0.01


def test_edges_do_not_mind_a_tone_curve(picture: Picture) -> None:
    """Half the contrast leaves edge similarity near 1, while that of luma falls."""
    graded = np.asarray(0.3 + 0.5 * picture, np.float32)
    assert edge_ssim(graded, picture) > 0.97
    assert edge_ssim(graded, picture) > luma_ssim(graded, picture)


def test_lost_and_invented_edges_count_alike(picture: Picture) -> None:
    """A blurred picture and one full of noise are both worse than the content."""
    noise = np.random.default_rng(0).normal(0, 0.05, picture.shape).astype(np.float32)
    for damaged in (blurred(picture), (picture + noise).clip(0, 1)):
        assert edge_ssim(damaged, picture) < 0.9
        assert luma_ssim(damaged, picture) < 0.98


def test_canny_sees_an_outline_that_is_gone() -> None:
    """A square with its outline is like itself, without it is not."""
    square = np.full((96, 96, 3), 0.1, np.float32)
    square[30:60, 30:60] = 0.9
    assert canny_ssim(square * np.float32(0.95), square) == pytest.approx(1)
    assert canny_ssim(np.full_like(square, 0.5), square) < 0.9


def test_pictures_without_any_edge_are_alike() -> None:
    """Flat pictures give 1, not a division by zero."""
    flat = np.full((40, 40, 3), 0.5, np.float32)
    assert edge_ssim(flat, flat) == pytest.approx(1)
    assert canny_ssim(flat, flat) == pytest.approx(1)


def test_a_halo_is_found_and_a_tone_curve_is_not_one(picture: Picture) -> None:
    """A glow without reason in the content counts, the more the stronger; changing all tones alike does not."""
    curve = halo(np.asarray(0.2 + 0.6 * picture, np.float32), picture)
    weak, strong = (halo(with_spot(picture, strength), picture) for strength in (0.1, 0.3))
    assert curve < 0.01
    assert 2 * curve < weak < strong


def test_halo_takes_white_and_black() -> None:
    """Both ends of luma have a cell."""
    steps = np.repeat(np.linspace(0, 1, 130, dtype=np.float32)[None, :, None], 65, axis=0).repeat(3, axis=2)
    assert halo(steps, steps) < 0.01


@pytest.mark.parametrize(
    ("measure", "name"),
    [(edge_ssim, "edge_ssim"), (canny_ssim, "canny_ssim"), (luma_ssim, "luma_ssim"), (halo, "halo")],
)
def test_structure_agrees_with_the_independent_score(
    measure: Callable[[Picture, Picture], float],
    name: str,
    real_pair: tuple[Picture, Picture, Picture],
    independent: ModuleType,
) -> None:
    """Two implementations give the same numbers on another method's results."""
    result, content, _ = real_pair
    assert measure(result, content) == pytest.approx(getattr(independent, name)(result, content), rel=1e-4)
