"""How much of the content's structure a stylized picture keeps, and what it invents: edges, lines, halos.

Pictures are RGB float32 ``(H, W, 3)`` in 0..1, result and content of one size.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.metrics.similarity import Picture, Plane, luma, ssim

_NEIGHBOURHOOD = 12.0
"""Standard deviation, in pixels, of the window that gradients are normalised by."""
_HALO_WIDTH = 4.0
"""Standard deviation, in pixels, of the low-pass that leaves halos and takes texture away."""
_MAX_GAIN = 4.0

Cells = NDArray[np.float64]


def edge_ssim(result: Picture, content: Picture) -> float:
    """SSIM of Sobel magnitudes, each divided by its local mean: blind to tone curves, sees lost or invented edges."""
    a, b = _normalised_gradient(luma(result)), _normalised_gradient(luma(content))
    return ssim(a, b, max(float(a.max()), float(b.max()), 1e-6))


def canny_ssim(result: Picture, content: Picture) -> float:
    """SSIM of Canny's binary edge maps (thresholds 100 and 200)."""
    return ssim(_canny(result), _canny(content), 1.0)


def luma_ssim(result: Picture, content: Picture) -> float:
    """SSIM of luma; falls with every change of tone, wanted or not."""
    return ssim(luma(result), luma(content), 1.0)


def halo(result: Picture, content: Picture, cell: int = 64, bins: int = 12) -> float:
    """Tone that changes from place to place without reason in the content: halos, bleeding. 0 for any tone curve.

    The RMS, after a low-pass, of what a coarse bilateral grid of the content (cells of ``cell`` px and 1/``bins`` of
    luma, an affine function each, fitted over 3 × 3 cells) cannot predict of the result's luma.
    """
    x, y = luma(content), luma(result)
    grid = _Grid.of(x, cell, bins)
    weight = grid.sums(np.ones_like(x)) + 1e-6
    mean_x, mean_y, mean_xx, mean_xy = (grid.sums(values) / weight for values in (x, y, x * x, x * y))
    gain = ((mean_xy - mean_x * mean_y) / (mean_xx - mean_x**2 + 1e-3)).clip(0, _MAX_GAIN)
    predicted = grid.at_pixels(mean_y) + grid.at_pixels(gain) * (x - grid.at_pixels(mean_x))
    unexplained = cv2.GaussianBlur(y - predicted, (0, 0), _HALO_WIDTH)
    return float(np.sqrt(np.square(unexplained).mean()))


@dataclass(frozen=True)
class _Grid:
    """Which cell ``(row, column, luma bin)`` of a bilateral grid each pixel lies in; ``index`` is ``(H, W)``."""

    index: NDArray[np.intp]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, plane: Plane, cell: int, bins: int) -> "_Grid":
        shape = (plane.shape[0] // cell + 1, plane.shape[1] // cell + 1, bins)
        rows, columns = np.indices(plane.shape) // cell
        bin_of = (plane * bins).astype(np.intp).clip(0, bins - 1)
        return cls(np.ravel_multi_index((rows, columns, bin_of), shape), shape)

    def sums(self, plane: Plane) -> Cells:
        """The plane's sum over each cell and its eight neighbours in space, divided by nine."""
        sums = np.bincount(self.index.ravel(), plane.ravel(), int(np.prod(self.shape))).reshape(self.shape)
        return np.asarray(cv2.blur(sums, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float64)

    def at_pixels(self, cells: Cells) -> Cells:
        return np.asarray(cells.ravel()[self.index], np.float64)


def _normalised_gradient(plane: Plane) -> Plane:
    magnitude = np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
    around = cv2.GaussianBlur(magnitude, (0, 0), _NEIGHBOURHOOD)
    return np.asarray(magnitude / (around + 0.05), np.float32)


def _canny(picture: Picture) -> Plane:
    """0 or 1 at every pixel."""
    grey = (luma(picture) * 255).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.Canny(grey, 100, 200) / 255, np.float32)
