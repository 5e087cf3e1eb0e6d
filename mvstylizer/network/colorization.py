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

    def forward(self, features: Tensor, own: Tensor, code: Tensor) -> Tensor:
        """Content features → colorized features of the same shape.

        ``own`` are their ``statistics``. Every way is one affine map for the whole picture, so that features which
        have been averaged since then come out as if they had been colorized first.
        """
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

    def forward(self, features: Tensor, own: Tensor, code: Tensor) -> Tensor:
        return features + (code - own)[:, :, None, None]


class AdaptiveInstanceNormalization(Colorization):
    """Mean and standard deviation per channel (Huang and Belongie, ICCV 2017)."""

    def code_size(self, channels: int) -> int:
        return 2 * channels

    def statistics(self, features: Tensor) -> Tensor:
        # Not Tensor.var: it takes five times as long on the CPU.
        mean = features.mean((2, 3))
        variance = (features - mean[:, :, None, None]).square().mean((2, 3))
        return torch.cat([mean, (variance + _EPSILON).sqrt()], dim=1)

    def forward(self, features: Tensor, own: Tensor, code: Tensor) -> Tensor:
        mean, deviation = own[:, :, None, None].chunk(2, dim=1)
        style_mean, style_deviation = code[:, :, None, None].chunk(2, dim=1)
        return (features - mean) * (style_deviation / deviation) + style_mean


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

    def forward(self, features: Tensor, own: Tensor, code: Tensor) -> Tensor:
        (mean, root), (style_mean, style_root) = (_mean_and_matrix(x, features.shape[1]) for x in (own, code))
        _, inverse_root = matrix_square_roots(root @ root, self.iterations)
        return _moved(features, mean, style_root @ inverse_root, style_mean)


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

    def forward(self, features: Tensor, own: Tensor, code: Tensor) -> Tensor:
        (mean, covariance), (style_mean, style_covariance) = (
            _mean_and_matrix(x, features.shape[1]) for x in (own, code)
        )
        root, inverse_root = matrix_square_roots(covariance, self.iterations)
        middle, _ = matrix_square_roots(root @ style_covariance @ root, self.iterations)
        return _moved(features, mean, inverse_root @ middle @ inverse_root, style_mean)


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


def _mean_and_matrix(code: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """``(N, C)`` and ``(N, C, C)`` of a code that holds both."""
    return code[:, :channels], code[:, channels:].reshape(-1, channels, channels)


def _moved(features: Tensor, mean: Tensor, matrix: Tensor, to: Tensor) -> Tensor:
    """``matrix`` applied to features around their ``mean``, which becomes ``to``."""
    offset = to - (matrix @ mean[:, :, None])[:, :, 0]
    flat = features.flatten(2)
    return (matrix @ flat + offset[:, :, None]).reshape(features.shape)


_WAYS: dict[str, type[Colorization]] = {
    "mean": MeanColorization,
    "adain": AdaptiveInstanceNormalization,
    "wct": WhiteningColouring,
}


def colorization(name: ColorizationName) -> Colorization:
    """The way of colorization of that name."""
    return _WAYS[name]()
