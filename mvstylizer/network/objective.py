"""The objective (Eq. 5): perceptual distance to the content plus λ times perceptual distance to the style.

D(·) is the paper's perceptual distance (Johnson et al. 2016): for the content the squared distance of deep features,
for the style the distance of Gram matrices, here with G = F Fᵀ / (C·H·W) so that it does not depend on the size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_NEAR = 0.5
"""Distance to the style below which a pair counts as near: its share would be noise."""
_NEAR_COLOUR = 0.02
_COLOURS = 4096
_DIRECTIONS = 16
_CONTENT_LEVELS = (2, 3)
"""relu3_1 and relu4_1 of a list that starts with relu1_1."""


@dataclass(frozen=True)
class Loss:
    """The parts of Eq. 5, scalars; ``total`` is what is minimised."""

    content: Tensor
    style: Tensor
    total: Tensor


def perceptual_loss(
    output: Sequence[Tensor], content: Sequence[Tensor], style: Sequence[Tensor], style_weight: float = 1.0
) -> Loss:
    """Eq. 5 on perceptual features, finest level first, each ``(N, C, H, W)``; λ is ``style_weight``.

    The distance to the style is a share of the distance that the content had: 0 reached, 1 nothing gained. Plain
    distances of a few pairs that lie far apart would drown all others of a batch. Content and output features must
    have the same size; the style's may differ, as Gram matrices do not see it.
    """
    content_distance = torch.stack([content_term(output[i], content[i]) for i in _CONTENT_LEVELS]).mean()
    style_distance = (style_term(output, style) / (style_term(content, style) + _NEAR)).mean()
    return Loss(content_distance, style_distance, content_distance + style_weight * style_distance)


def content_term(output: Tensor, content: Tensor) -> Tensor:
    """Mean squared difference of features normalised over space and by the content's own variance.

    Both are instance-normalised first: a change of light and colour moves a channel's mean and scale, and
    must not count as a change of structure.
    """
    return (_normalised(output.float()) - _normalised(content.float())).square().mean()


def style_term(output: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Frobenius distances of Gram matrices, summed over levels: ``(N,)``."""
    return torch.stack([gram_distance(o, s) for o, s in zip(output, style, strict=True)]).sum(0)


def gram_distance(output: Tensor, style: Tensor) -> Tensor:
    """Frobenius distance of the Gram matrices of one level: ``(N,)``."""
    return ((gram(output) - gram(style)).square().sum((1, 2)) + 1e-8).sqrt()


def gram(features: Tensor) -> Tensor:
    """Gram matrices ``(N, C, C)`` of ``(N, C, H, W)``, divided by C·H·W, in float32.

    The products are summed in the features' own precision's matrix units: copies of the finest level in float32
    would take most of a training step.
    """
    count, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)
    return (flat.transpose(1, 2) @ flat).float() / (channels * height * width)


def _normalised(features: Tensor) -> Tensor:
    deviation = (features.var((2, 3), keepdim=True, correction=0) + 1e-4).sqrt()
    return (features - features.mean((2, 3), keepdim=True)) / deviation


def colour_term(output: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """Sliced Wasserstein distance of colours to the style, as a share of the distance the content had; scalar.

    Gram matrices of deep features hardly see whether a sky is a shade too grey; people do. RGB ``(N, 3, H, W)``.
    """
    wanted = _projected_colours(style)
    distance = (_projected_colours(output) - wanted).abs().mean((1, 2))
    return (distance / ((_projected_colours(content) - wanted).abs().mean((1, 2)) + _NEAR_COLOUR)).mean()


def _projected_colours(rgb: Tensor) -> Tensor:
    """Sorted projections of evenly spaced pixels: ``(N, _DIRECTIONS, _COLOURS)``."""
    flat = rgb.float().flatten(2)
    positions = torch.linspace(0, flat.shape[2] - 1, _COLOURS, device=rgb.device).long()
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(_DIRECTIONS, 3, generator=generator).to(rgb.device)
    directions = directions / directions.norm(dim=1, keepdim=True)
    projected: Tensor = directions @ flat[:, :, positions]
    return projected.sort(dim=2).values


def edge_similarity(output: Tensor, content: Tensor) -> Tensor:
    """SSIM of gradient magnitudes, each divided by its neighbourhood's, of RGB ``(N, 3, H, W)`` in 0..1; 1 is best.

    Blind to tone curves, sees lost and invented edges; the differentiable twin of the score that results are judged
    by (``mvstylizer.metrics.edge_ssim``).
    """
    a, b = (_relative_gradient(picture.float()) for picture in (output, content))
    peak = torch.stack([a.detach().amax((1, 2, 3)), b.amax((1, 2, 3))]).amax(0)[:, None, None, None]
    mean_a, mean_b = _uniform(a), _uniform(b)
    variance_a, variance_b = _uniform(a * a) - mean_a**2, _uniform(b * b) - mean_b**2
    covariance = _uniform(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean()


def _relative_gradient(rgb: Tensor) -> Tensor:
    luma = (rgb * rgb.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    sobel = luma.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    padded = F.pad(luma, (1, 1, 1, 1), mode="reflect")
    horizontal, vertical = F.conv2d(padded, sobel[None, None]), F.conv2d(padded, sobel.T[None, None])
    magnitude = (horizontal**2 + vertical**2 + 1e-10).sqrt()
    return magnitude / (_gaussian(magnitude, 12.0) + 0.05)


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    # Reflection ends where a small picture does.
    radius = min(round(4 * sigma), min(x.shape[2:]) - 1)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype) / sigma) ** 2)
    taps = taps / taps.sum()
    x = F.pad(x, (radius, radius, radius, radius), mode="reflect")
    return F.conv2d(F.conv2d(x, taps[None, None, :, None]), taps[None, None, None, :])


def _uniform(x: Tensor) -> Tensor:
    """Mean over 7×7 windows, scikit-image's default for SSIM."""
    return F.avg_pool2d(x, 7, stride=1)
