"""Bytes of a key frame both ways: as a proxy and its answer, against full-size JPEGs as in the paper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvstylizer.engine import Engine
from mvstylizer.pictures import encode_jpeg, fit_within

QUALITY = 95
"""Of all JPEGs: what the device sends and asks for by default."""
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

    def mean(pictures: Iterator[NDArray[np.uint8]]) -> float:
        return float(np.mean([len(encode_jpeg(picture, QUALITY)) for picture in pictures]))

    return Traffic(
        name,
        (mean(iter(proxies)), mean(engine.stylize(proxy, code) for proxy in proxies)),
        (mean(iter(frames)), mean(engine.stylize(frame, code) for frame in frames)),
    )
