"""The locally affine projection of a stylized picture, differentiable: what the device will make of it.

The device never shows the DNN's pixels; it fits a gain and an offset around every pixel and applies them to its own
frame (``mvstylizer.propagation.affine``). Training through the same fit teaches the DNN what such a field can carry.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS = 6
"""Of the fit's window, in pixels of the picture."""
RIDGE = 1e-4
"""Variance below which the gain of the whole picture counts, for values in 0..1."""

_NOISE = (4 / 255) ** 2
"""Variance below which a whole channel says nothing."""

# Luma and colour differences of BT.601, as the device's planes have them; scaled to keep 0..1-like magnitudes.
_RGB_TO_YUV = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))


def locally_affine(stylized: Tensor, content: Tensor, radius: int = RADIUS, ridge: float = RIDGE) -> Tensor:
    """``stylized`` replaced by the best A·content + B around every pixel, per YUV plane.

    Both RGB ``(N, 3, H, W)`` in 0..1 of the same size; He et al., "Guided Image Filtering" (PAMI 2013) with the
    content as guide. Fitted at half size ("Fast Guided Filter", 2015).
    """
    matrix = torch.tensor(_RGB_TO_YUV, dtype=content.dtype, device=content.device)
    guide_full = _mix(content, matrix)
    guide, target = F.avg_pool2d(guide_full, 2), F.avg_pool2d(_mix(stylized, matrix), 2)
    half = max(radius // 2, 1)
    mean_guide, mean_target = _box(guide, half), _box(target, half)
    covariance = _box(guide * target, half) - mean_guide * mean_target
    variance = _box(guide * guide, half) - mean_guide**2
    centred_guide, centred_target = (x - x.mean((2, 3), keepdim=True) for x in (guide, target))
    overall = (centred_guide * centred_target).mean((2, 3), keepdim=True)
    variance_of_all = centred_guide.square().mean((2, 3), keepdim=True)
    overall = ((overall + _NOISE) / (variance_of_all + _NOISE)).clamp(min=0)
    gain = (covariance + ridge * overall) / (variance + ridge)
    offset = mean_target - gain * mean_guide
    size = content.shape[2:]
    gain, offset = (F.interpolate(_box(x, half), size, mode="bilinear") for x in (gain, offset))
    return _mix(gain * guide_full + offset, torch.linalg.inv(matrix))


def _mix(picture: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", matrix, picture)


def _box(x: Tensor, radius: int) -> Tensor:
    """Mean over a square window, one side after the other; at borders over what lies inside."""
    size = 2 * radius + 1
    x = F.avg_pool2d(x, (size, 1), stride=1, padding=(radius, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, size), stride=1, padding=(0, radius), count_include_pad=False)
