"""How near a stylized picture is to its style: distances of a network's features and of colours. 0 is best.

Feature maps are float ``(C, H, W)``, one a level, of any network; the tables take relu1_1 … relu5_1 of the 16x proxy
(``mvstylizer.network.perceptual``). Result and style may have different sizes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvstylizer.metrics.similarity import Picture

FeatureMap = NDArray[np.float32]

_PIXELS = 20_000
_QUANTILES = np.linspace(0, 1, 512)


def gram_distance(result: Sequence[FeatureMap], style: Sequence[FeatureMap]) -> float:
    """Sum over levels of the squared Frobenius distance of Gram matrices (Gatys et al., CVPR 2016).

    Gram matrices are divided by C·H·W. Raises ValueError where the two have different numbers of levels.
    """
    return sum(float(np.square(_gram(a) - _gram(b)).sum()) for a, b in zip(result, style, strict=True))


def mean_std_distance(result: Sequence[FeatureMap], style: Sequence[FeatureMap]) -> float:
    """Sum over levels of the mean squared distances of channel means and of channel standard deviations.

    Huang & Belongie, ICCV 2017, squared. Raises ValueError where the two have different numbers of levels.
    """
    pairs = zip(result, style, strict=True)
    return sum(float(np.square(_statistics(a) - _statistics(b)).mean(1).sum()) for a, b in pairs)


def swd(result: Picture, style: Picture, directions: int = 64, seed: int = 0) -> float:
    """Sliced Wasserstein-1 distance of the colours of two RGB pictures ``(H, W, 3)`` in 0..1.

    Bonneel et al., JMIV 2015; by 512 quantiles along random ``directions``, of about 20 000 spread pixels of each.
    """
    axes = np.random.default_rng(seed).normal(size=(directions, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    a, b = (np.quantile(_some_pixels(picture) @ axes.T, _QUANTILES, axis=0) for picture in (result, style))
    return float(np.abs(a - b).mean())


def _gram(features: FeatureMap) -> NDArray[np.float32]:
    flat = features.reshape(len(features), -1)
    return np.asarray(flat @ flat.T / flat.size, np.float32)


def _statistics(features: FeatureMap) -> NDArray[np.float64]:
    """Means and unbiased standard deviations of the channels, ``(2, C)``."""
    flat = features.reshape(len(features), -1)
    return np.stack([flat.mean(1, dtype=np.float64), flat.std(1, ddof=1, dtype=np.float64)])


def _some_pixels(picture: Picture) -> Picture:
    pixels = picture.reshape(-1, 3)
    return pixels[:: max(1, len(pixels) // _PIXELS)]
