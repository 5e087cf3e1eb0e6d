"""The objective (Eq. 5): perceptual distance to the content plus λ times perceptual distance to the style.

D(·) is the paper's perceptual distance (Johnson et al. 2016): for the content the squared distance of deep features,
for the style the distance of Gram matrices, here with G = F Fᵀ / (C·H·W) so that it does not depend on the size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from mvstylizer.network.colorization import OptimalTransport
from mvstylizer.network.perceptual import SixteenfoldProxy

_NEAR = 0.2
"""Distance to the style that counts as next to nothing: a share of less would be noise."""
_NEAR_COLOUR = 0.02
_FAINT = 1e-4
"""Variance below which a channel of features says nothing."""
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
    perceptual: SixteenfoldProxy, output: Tensor, content: Tensor, style: Tensor, yardstick: Tensor,
    style_weight: float = 1.0,
) -> Loss:  # fmt: skip
    """Eq. 5 on pictures ``(N, 3, H, W)``; λ is ``style_weight``.

    The style's size may differ, Gram matrices do not see it. The squared distance to the style is a share of what
    ``yardstick`` leaves, a stylization of the same content that is to be beaten: plain distances of a few pairs that
    lie far apart would drown all others of a batch, while squares of shares mind the pairs that are no better than it.
    """
    with torch.no_grad():
        content_features = perceptual.thin(content, _CONTENT_LEVELS[-1] + 1)
        wanted = grams(perceptual(style))
        reached = style_term(grams(perceptual(yardstick)), wanted)
    features = perceptual.thin(output)
    content_distance = torch.stack([content_term(features[i], content_features[i]) for i in _CONTENT_LEVELS]).mean()
    style_distance = cost_of_share(style_term(grams(perceptual.wide(features)), wanted) / (reached + _NEAR))
    return Loss(content_distance, style_distance, content_distance + style_weight * style_distance)


def cost_of_share(share: Tensor) -> Tensor:
    """Mean of the squares of shares ``(N,)`` of what the yardstick leaves, growing linearly where they exceed 1."""
    return 2 * F.huber_loss(share, torch.zeros_like(share))


def closed_form(content: Tensor, style: Tensor) -> Tensor:
    """The content after the Monge-Kantorovich transport of its colours to the style's: the natural yardstick."""
    # In single precision the products of nearly grey pictures' covariances would have negative eigenvalues.
    transport, content, style = OptimalTransport(iterations=30, floor=1e-5), content.double(), style.double()
    moved: Tensor = transport(content, transport.statistics(content), transport.statistics(style))
    return moved.float()


def content_term(output: Tensor, content: Tensor) -> Tensor:
    """Mean squared difference of features normalised over space and by the content's own variance.

    Both are instance-normalised first: a change of light and colour moves a channel's mean and scale, and
    must not count as a change of structure.
    """
    output, wanted = output.float(), _normalised(content.float())
    mean = output.mean((2, 3))
    variance = (output.square().mean((2, 3)) - mean.square()).clamp(min=0)
    agreement = (output * wanted).mean((2, 3)) / (variance + _FAINT).sqrt()
    # (normalised output - wanted)², multiplied out: three sums over the output instead of five copies of it.
    return (variance / (variance + _FAINT) + wanted.square().mean((2, 3)) - 2 * agreement).mean()


def style_term(output: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Distance of two lists of Gram matrices, over all levels at once: ``(N,)``."""
    squares = [(o - s).square().sum((1, 2)) for o, s in zip(output, style, strict=True)]
    return (torch.stack(squares).sum(0) + 1e-8).sqrt()


def grams(features: Sequence[Tensor]) -> list[Tensor]:
    """The Gram matrices of all levels."""
    return [gram(x) for x in features]


def gram(features: Tensor) -> Tensor:
    """Gram matrices ``(N, C, C)`` of ``(N, C, H, W)``, divided by C·H·W, in float32.

    The products are summed in the features' own precision's matrix units: copies of the finest level in float32
    would take most of a training step.
    """
    count, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)
    products: Tensor = _OwnProducts.apply(flat)
    return products.float() / (channels * height * width)


class _OwnProducts(torch.autograd.Function):
    """XᵀX for ``(N, P, C)``; its gradient takes one product where autograd's takes two and their sum."""

    @staticmethod
    def forward(context: FunctionCtx, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.transpose(1, 2) @ x

    @staticmethod
    def backward(context: FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors  # type: ignore[attr-defined]
        symmetric = (gradient + gradient.transpose(1, 2)).to(x.dtype)
        product: Tensor = x @ symmetric
        return product


def _normalised(features: Tensor) -> Tensor:
    centred = features - features.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True) + _FAINT).sqrt()


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
    """SSIM of gradient magnitudes, each divided by its neighbourhood's: ``(N,)`` of RGB ``(N, 3, H, W)`` in 0..1.

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
    return (luminance * structure).mean((1, 2, 3))


def _relative_gradient(rgb: Tensor) -> Tensor:
    luma = (rgb * rgb.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    sobel = luma.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    padded = F.pad(luma, (1, 1, 1, 1), mode="reflect")
    horizontal, vertical = F.conv2d(padded, sobel[None, None]), F.conv2d(padded, sobel.T[None, None])
    magnitude = (horizontal**2 + vertical**2 + 1e-10).sqrt()
    return magnitude / (_gaussian(magnitude, 12.0) + 0.05)


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    """Smoothed along both sides; as products with a matrix, since long kernels are slow to differentiate."""
    rows, columns = (_smoothing_matrix(size, sigma).to(x) for size in x.shape[2:])
    return rows @ x @ columns.T


@lru_cache(maxsize=16)
def _smoothing_matrix(size: int, sigma: float) -> Tensor:
    """``(size, size)``: row i holds the weights that make sample i of a smoothed line, its ends mirrored."""
    # Reflection ends where a small picture does.
    radius = min(round(4 * sigma), size - 1)
    offsets = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (offsets / sigma) ** 2)
    sources = (torch.arange(size)[:, None] + offsets).abs()
    sources = (size - 1) - ((size - 1) - sources).abs()
    return torch.zeros(size, size).scatter_add_(1, sources, (taps / taps.sum()).expand(size, -1))


def _uniform(x: Tensor) -> Tensor:
    """Mean over 7×7 windows, scikit-image's default for SSIM."""
    return F.avg_pool2d(x, 7, stride=1)
