"""Bytes of a key frame both ways: as a proxy and its answer, against full-size JPEGs as in the paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvstylizer.engine import Engine
from mvstylizer.pictures import encode_jpeg, fit_within

PROXY_QUALITY = 90
"""Of the JPEGs that the device sends and asks for: only their light and colour reach the output."""
FULL_QUALITY = 95
"""Of full-size JPEGs, whose every pixel would be the output's."""
PROXY = 512


@dataclass(frozen=True)
class Traffic:
    """Mean bytes of one key frame, up and down."""

    name: str
    proxy: tuple[float, float]
    full: tuple[float, float]

    @property
    def share(self) -> float:
        return sum(self.proxy) / sum(self.full)


def traffic(name: str, frames: Sequence[NDArray[np.uint8]], style: NDArray[np.uint8], engine: Engine) -> Traffic:
    """Of full-size frames RGB ``(H, W, 3)`` in a style; the full-size answer is stylized at full size too."""
    code = engine.encode_style(style)
    proxies = [fit_within(frame, PROXY) for frame in frames]

    def mean(pictures: Sequence[NDArray[np.uint8]], quality: int) -> float:
        return float(np.mean([len(encode_jpeg(picture, quality)) for picture in pictures]))

    def both_ways(pictures: Sequence[NDArray[np.uint8]], quality: int) -> tuple[float, float]:
        return mean(pictures, quality), mean([engine.stylize(each, code) for each in pictures], quality)

    return Traffic(name, both_ways(proxies, PROXY_QUALITY), both_ways(frames, FULL_QUALITY))
