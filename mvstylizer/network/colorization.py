"""The colorization box of Figure 4: give content features the channel statistics of the style.

Three ways, one interface. What a way keeps of the style is its *style code*, one flat vector a level, so that a style
photo is encoded once and then cached.
"""

from typing import Literal

import torch
from torch import Tensor, nn

ColorizationName = Literal["mean", "adain", "wct"]
_EPSILON = 1e-5


class Colorization(nn.Module):
    """Interface. Features are ``(N, C, H, W)``, codes ``(N, code_size)``, both float32."""

    def code_size(self, channels: int) -> int:
        """Length of the style code of one level with so many channels."""
        raise NotImplementedError

    def statistics(self, features: Tensor) -> Tensor:
        """Style features → style code."""
        raise NotImplementedError

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Content features → colorized features of the same shape."""
        raise NotImplementedError


class MeanColorization(Colorization):
    """The paper's Eq. 2, z = Σ_m (y_m − x_k), with two choices where it cannot be meant as printed.

    Divided by H·W, the sum is mean(y) − x_k, whatever the size of the style. Its sign would turn the content into its
    negative, so x_k keeps its own sign and gives up its own mean instead: z = x_k − mean(x) + mean(y). A style with
    the content's mean then changes nothing.
    """

    def code_size(self, channels: int) -> int:
        return channels

    def statistics(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        return features - features.mean((2, 3), keepdim=True) + code[:, :, None, None]


class AdaptiveInstanceNormalization(Colorization):
    """Mean and standard deviation per channel (Huang and Belongie, ICCV 2017)."""

    def code_size(self, channels: int) -> int:
        return 2 * channels

    def statistics(self, features: Tensor) -> Tensor:
        return torch.cat([features.mean((2, 3)), _standard_deviation(features).flatten(1)], dim=1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        channels = features.shape[1]
        mean, deviation = code[:, :channels, None, None], code[:, channels:, None, None]
        normalised = (features - features.mean((2, 3), keepdim=True)) / _standard_deviation(features)
        return normalised * deviation + mean


class WhiteningColouring(Colorization):
    """Mean and full covariance (Li et al., "Universal Style Transfer via Feature Transforms", NeurIPS 2017).

    Both matrix square roots come from the coupled Newton–Schulz iteration, which is nothing but matrix products and
    so exports to ONNX, and which has none of the instability of eigenvectors that makes SVD-based videos flicker.
    ``ridge`` is added to the covariance, relative to its mean eigenvalue: directions in which the content hardly
    varies are not blown up into noise.
    """

    def __init__(self, iterations: int = 12, ridge: float = 1e-2) -> None:
        super().__init__()
        self.iterations = iterations
        self.ridge = ridge

    def code_size(self, channels: int) -> int:
        return channels + channels * channels

    def statistics(self, features: Tensor) -> Tensor:
        mean, covariance = _moments(features, self.ridge)
        root, _ = matrix_square_roots(covariance, self.iterations)
        return torch.cat([mean, root.flatten(1)], dim=1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        count, channels, height, width = features.shape
        style_mean, style_root = code[:, :channels], code[:, channels:].reshape(-1, channels, channels)
        mean, covariance = _moments(features, self.ridge)
        _, inverse_root = matrix_square_roots(covariance, self.iterations)
        centred = features.reshape(count, channels, height * width) - mean[:, :, None]
        coloured = style_root @ inverse_root @ centred + style_mean[:, :, None]
        return coloured.reshape(count, channels, height, width)


class OptimalTransport(Colorization):
    """Mean and covariance by the linear map that moves colours least (Monge–Kantorovich; Pitié and Kokaram, CVMP 2007).

    Meant for the picture's own RGB, where whitening–colouring would swap hues for no reason. ``floor`` is added to
    both covariances (values in 0..1): a direction in which the content does not vary, such as the hue of a grey
    picture, gets no more than √(style / floor) of gain.
    """

    def __init__(self, iterations: int = 15, floor: float = 5e-4) -> None:
        super().__init__()
        self.iterations = iterations
        self.floor = floor

    def code_size(self, channels: int) -> int:
        return channels + channels * channels

    def statistics(self, features: Tensor) -> Tensor:
        mean, covariance = _moments(features, 0.0, self.floor)
        return torch.cat([mean, covariance.flatten(1)], dim=1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        count, channels, height, width = features.shape
        style_mean, style_covariance = code[:, :channels], code[:, channels:].reshape(-1, channels, channels)
        mean, covariance = _moments(features, 0.0, self.floor)
        root, inverse_root = matrix_square_roots(covariance, self.iterations)
        middle, _ = matrix_square_roots(root @ style_covariance @ root, self.iterations)
        centred = features.reshape(count, channels, height * width) - mean[:, :, None]
        moved = inverse_root @ middle @ inverse_root @ centred + style_mean[:, :, None]
        return moved.reshape(count, channels, height, width)


def matrix_square_roots(matrices: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Square roots and inverse square roots of symmetric positive definite ``(N, C, C)``, by coupled Newton–Schulz.

    Converges because dividing by the trace brings every eigenvalue into (0, 1].
    """
    trace = matrices.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    identity = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
    y, z = matrices / trace, identity.expand_as(matrices)
    for _ in range(iterations):
        step = 1.5 * identity - 0.5 * (z @ y)
        y, z = y @ step, step @ z
    return y * trace.sqrt(), z / trace.sqrt()


def _moments(features: Tensor, ridge: float, floor: float = _EPSILON) -> tuple[Tensor, Tensor]:
    """Mean ``(N, C)`` and covariance ``(N, C, C)``, plus ``ridge`` of its mean eigenvalue and ``floor``."""
    count, channels, height, width = features.shape
    flat = features.reshape(count, channels, height * width)
    mean = flat.mean(2)
    centred = flat - mean[:, :, None]
    covariance = centred @ centred.transpose(1, 2) / (height * width)
    scale = covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * ridge + floor
    identity = torch.eye(channels, dtype=features.dtype, device=features.device)
    return mean, covariance + scale * identity


def _standard_deviation(features: Tensor) -> Tensor:
    return (features.var((2, 3), keepdim=True, correction=0) + _EPSILON).sqrt()


_WAYS: dict[str, type[Colorization]] = {
    "mean": MeanColorization,
    "adain": AdaptiveInstanceNormalization,
    "wct": WhiteningColouring,
}


def colorization(name: ColorizationName) -> Colorization:
    """The way of colorization of that name."""
    return _WAYS[name]()
