"""How near one picture is to another, pixel by pixel and window by window.

Pictures are RGB float ``(H, W, 3)`` in 0..1, planes float ``(H, W)`` in a range that each measure names.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]

_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SIDE = 7
"""Of SSIM's window without weights, in pixels; scikit-image's default."""


def luma(rgb: Picture) -> Plane:
    """BT.601 luma of RGB, in the same range."""
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def ms_ssim(a: Plane, b: Plane) -> float:
    """Multi-scale structural similarity of two luma planes in 0..255; 1 for equal ones (Wang et al., Asilomar 2003).

    Five scales: both sides should be at least 176 px.
    """
    result = 1.0
    for scale, weight in enumerate(_MS_SSIM_WEIGHTS):
        luminance, contrast_structure = _ssim_terms(a, b)
        last = scale == len(_MS_SSIM_WEIGHTS) - 1
        mean = (contrast_structure * luminance if last else contrast_structure).mean()
        result *= max(float(mean), 0.0) ** weight
        a, b = _half(a), _half(b)
    return result


def ssim(a: Plane, b: Plane, data_range: float) -> float:
    """Mean structural similarity of two planes whose values span ``data_range``; 1 for equal ones.

    Wang et al., IEEE TIP 2004, with windows of 7 × 7 px that all weigh the same and lie inside the plane, and unbiased
    variances: what scikit-image's ``structural_similarity`` does by default. Both sides must be at least 7 px.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    mean_x, mean_y = _means(x), _means(y)
    unbiased = _SIDE**2 / (_SIDE**2 - 1)
    variances = unbiased * (_means(x * x) - mean_x**2 + _means(y * y) - mean_y**2)
    covariance = unbiased * (_means(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * (2 * covariance + c2) / (variances + c2)).mean())


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio in dB of two pictures in 0..1; infinite for equal ones."""
    error = float(np.square(np.subtract(a, b, dtype=np.float64)).mean())
    return -10 * math.log10(error) if error else math.inf


def _means(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of every window that lies inside the plane."""
    border = _SIDE // 2
    means = cv2.boxFilter(plane, -1, (_SIDE, _SIDE))
    return np.asarray(means[border:-border, border:-border], np.float64)


def _ssim_terms(a: Plane, b: Plane) -> tuple[Plane, Plane]:
    """SSIM's luminance and contrast·structure maps, with its 11 px Gaussian window."""
    mean_a, mean_b = _window(a), _window(b)
    variance_a, variance_b = _window(a * a) - mean_a**2, _window(b * b) - mean_b**2
    covariance = _window(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    contrast_structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    return luminance.astype(np.float32), contrast_structure.astype(np.float32)


def _window(plane: Plane) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float32)


def _half(plane: Plane) -> Plane:
    return np.asarray(cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
