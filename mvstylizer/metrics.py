"""Measures of stylized pictures and frames: how much structure, style and steadiness they keep.

Pictures are RGB float ``(H, W, 3)`` in 0..1, luma planes float ``(H, W)`` in 0..255. Neither torch nor a GPU is needed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Plane = NDArray[np.float32]

_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


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
