"""Classic colour transfer, what a DNN has to beat: identity, Reinhard et al. 2001, Pitié & Kokaram 2007.

An anchor takes content and style, RGB float32 ``(H, W, 3)`` in 0..1, sizes of their own, and returns the content with
the style's colours: a new array of the content's shape and type, in 0..1.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Anchor = Callable[[Picture, Picture], Picture]

_MIN_VARIANCE = 1e-8


def identity(content: Picture, style: Picture) -> Picture:
    """The content as it is: the most structure and the least style that there can be."""
    return content.copy()


def reinhard(content: Picture, style: Picture) -> Picture:
    """Mean and standard deviation of every CIE-Lab channel become the style's.

    Reinhard, Ashikhmin, Gooch & Shirley, "Color Transfer between Images", IEEE CG&A 2001; they used lαβ.
    """
    pixels, wanted = _lab(content), _lab(style)
    standard = (pixels - pixels.mean(0)) / (pixels.std(0) + 1e-6)
    lab = np.asarray(standard * wanted.std(0) + wanted.mean(0), np.float32)
    return np.asarray(cv2.cvtColor(lab.reshape(content.shape), cv2.COLOR_LAB2RGB).clip(0, 1), np.float32)


def mkl(content: Picture, style: Picture) -> Picture:
    """The linear map nearest to identity that gives the content the style's mean and covariance in RGB, in float64.

    Pitié & Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer", CVMP 2007.
    """
    pixels, wanted = (np.asarray(picture, np.float64).reshape(-1, 3) for picture in (content, style))
    root, inverse = (_power(np.cov(pixels.T), exponent) for exponent in (0.5, -0.5))
    transport = inverse @ _power(root @ np.cov(wanted.T) @ root, 0.5) @ inverse
    mapped = (pixels - pixels.mean(0)) @ transport + wanted.mean(0)
    return np.asarray(mapped.clip(0, 1).reshape(content.shape), np.float32)


ANCHORS: dict[str, Anchor] = {"identity": identity, "Reinhard": reinhard, "MKL": mkl}
"""By the names that tables give them."""


def _lab(picture: Picture) -> NDArray[np.float64]:
    """CIE-Lab (D65) of every pixel, ``(H·W, 3)``; float64, since float32 sums over a whole picture drift."""
    lab = cv2.cvtColor(np.asarray(picture, np.float32), cv2.COLOR_RGB2LAB)
    return np.asarray(lab, np.float64).reshape(-1, 3)


def _power(covariance: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A symmetric positive matrix to a power; variances are kept off zero, for pictures of one colour."""
    values, vectors = np.linalg.eigh(covariance)
    scaled = vectors * np.maximum(values, _MIN_VARIANCE) ** exponent
    return np.asarray(scaled @ vectors.T, np.float64)
