"""The measures that results are judged by."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.metrics import luma, ms_ssim
from mvstylizer.pictures import fit_within, read_picture

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def plane() -> NDArray[np.float32]:
    noise = np.random.default_rng(0).uniform(0, 255, (200, 240)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3) * 4 - 384, np.float32)


def test_equal_planes_are_perfectly_similar(plane: NDArray[np.float32]) -> None:
    """MS-SSIM of a plane with itself is 1."""
    assert ms_ssim(plane, plane) == pytest.approx(1, abs=1e-5)


def test_similarity_falls_with_every_step_of_damage(plane: NDArray[np.float32]) -> None:
    """More blur is less similar, and noise is not mistaken for structure."""
    blurred = [ms_ssim(plane, np.asarray(cv2.GaussianBlur(plane, (0, 0), s), np.float32)) for s in (1, 3, 6)]
    assert 1 > blurred[0] > blurred[1] > blurred[2]
    noise = np.random.default_rng(1).uniform(0, 255, plane.shape).astype(np.float32)
    assert ms_ssim(plane, noise) < 0.2


def test_ms_ssim_agrees_with_the_independent_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two implementations give the same number on a real photo and a graded copy of it."""
    photo = SHARED / "data/eval/pairs/04_content.png"
    if not photo.exists():
        pytest.skip(f"{photo} is not on this machine")
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(str(SHARED / "score"))
    import metrics as independent  # type: ignore[import-not-found]

    rgb = np.asarray(fit_within(read_picture(photo), 400) / 255, np.float32)
    graded = np.asarray(cv2.GaussianBlur(rgb**1.4, (0, 0), 1.5), np.float32)
    a, b = luma(rgb) * 255, luma(graded) * 255
    assert ms_ssim(a, b) == pytest.approx(independent.msssim(a, b), rel=0.002)
    sys.modules.pop("metrics", None)


def test_luma_weighs_green_most() -> None:
    """BT.601: the three weights add up to one, green has most."""
    colours = np.eye(3, dtype=np.float32)[None]
    assert luma(colours)[0] == pytest.approx([0.299, 0.587, 0.114])
