"""How near one picture is to another."""

import math
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.metrics import luma, ms_ssim, psnr, ssim

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]


@pytest.fixture
def plane() -> Plane:
    noise = np.random.default_rng(0).uniform(0, 255, (200, 240)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3) * 4 - 384, np.float32)


def blurred(plane: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def test_equal_planes_are_perfectly_similar(plane: Plane) -> None:
    """MS-SSIM and SSIM of a plane with itself are 1."""
    assert ms_ssim(plane, plane) == pytest.approx(1, abs=1e-5)
    assert ssim(plane, plane, 255) == pytest.approx(1, abs=1e-9)


def test_similarity_falls_with_every_step_of_damage(plane: Plane) -> None:
    """More blur is less similar, and noise is not mistaken for structure."""
    noise = np.random.default_rng(1).uniform(0, 255, plane.shape).astype(np.float32)
    for measure in (ms_ssim, lambda a, b: ssim(a, b, 255)):
        steps = [measure(plane, blurred(plane, sigma)) for sigma in (1, 3, 6)]
        assert 1 > steps[0] > steps[1] > steps[2]
        assert measure(plane, noise) < 0.2


def test_ms_ssim_agrees_with_the_independent_score(
    real_pair: tuple[Picture, Picture, Picture], independent: ModuleType
) -> None:
    """Two implementations give the same number on a real photo and a graded copy of it."""
    photo = real_pair[1]
    graded = np.asarray(cv2.GaussianBlur(photo**1.4, (0, 0), 1.5), np.float32)
    a, b = luma(photo) * 255, luma(graded) * 255
    assert ms_ssim(a, b) == pytest.approx(independent.msssim(a, b), rel=0.002)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_ssim_is_scikit_images(plane: Plane, data_range: float) -> None:
    """The defaults of ``structural_similarity``: window, variances and border."""
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    a = (plane * (data_range / 255)).astype(np.float64)
    b = a + np.random.default_rng(2).normal(0, 0.05 * data_range, a.shape)
    expected = structural_similarity(a, b, data_range=data_range)
    assert ssim(a.astype(np.float32), b.astype(np.float32), data_range) == pytest.approx(expected, rel=1e-5)


def test_psnr_counts_the_mean_squared_error_in_decibels(picture: Picture) -> None:
    """An error of a tenth everywhere is 20 dB, of a hundredth 40 dB, none is infinite."""
    dark = picture * np.float32(0.5)
    assert psnr(dark, dark + np.float32(0.1)) == pytest.approx(20, abs=1e-3)
    assert psnr(dark, dark + np.float32(0.01)) == pytest.approx(40, abs=1e-3)
    assert psnr(dark, dark) == math.inf


def test_luma_weighs_green_most() -> None:
    """BT.601: the three weights add up to one, green has most."""
    colours = np.eye(3, dtype=np.float32)[None]
    assert luma(colours)[0] == pytest.approx([0.299, 0.587, 0.114])
