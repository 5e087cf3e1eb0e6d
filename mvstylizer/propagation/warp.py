"""Propagation `warp`: the paper's Algorithm 1, with the frames that it drops as printed (docs/paper.md).

Backward flow from the intermediate frame to the previous key frame, then bilinear sampling of the stylized key frame
(Eq. 1). The stylized pixels themselves move, so key frames have to be stylized at the frame's own size; flow is
estimated on proxies and scaled up.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.flow import FlowEstimator, luma, sample
from mvstylizer.propagation.look import StylizedKey
from mvstylizer.video import ColourSpace, rgb_to_yuv
from mvstylizer.video.frame import Planes


@dataclass(frozen=True)
class Picture:
    """A look that replaces the frame by a stylized picture, RGB ``(H, W, 3) uint8``.

    At a ``strength`` below 1 it lies over the frame, as far as the frame shows through.
    """

    rgb: NDArray[np.uint8]
    colour: ColourSpace
    strength: float = 1.0

    def on_planes(self, planes: Planes) -> Planes:
        y, u, v = (self._over(plane, own) for plane, own in zip(planes, self._planes(planes), strict=True))
        return y, u, v

    def on_proxy(self, proxy: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._over(proxy, _resized(self.rgb, *proxy.shape[:2]))

    def at(self, strength: float) -> "Picture":
        """Pixels on a straight line from the frame's own."""
        return replace(self, strength=strength)

    def _over(self, frame: NDArray[np.uint8], own: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.strength == 1:
            return own
        return cv2.addWeighted(own, self.strength, frame, 1 - self.strength, 0)  # type: ignore[return-value]

    def _planes(self, planes: Planes) -> Planes:
        height, width = planes[0].shape
        yuv = rgb_to_yuv(_resized(self.rgb, height, width), self.colour)
        y, u, v = (np.clip(np.rint(yuv[..., i]), 0, 255).astype(np.uint8) for i in range(3))
        size = planes[1].shape[1], planes[1].shape[0]
        return y, _halved(u, size), _halved(v, size)


@dataclass(frozen=True)
class WarpKey:
    """A stylized key frame and the luma of its proxy, to estimate flow against."""

    proxy_luma: NDArray[np.uint8]
    look: Picture


class WarpPropagation:
    """Algorithm 1; the key frame after the intermediate frame is never used."""

    full_size = True
    two_sided = False

    def __init__(self, colour: ColourSpace, flow: FlowEstimator) -> None:
        self._colour = colour
        self._flow = flow

    def key(self, proxy: NDArray[np.uint8], stylized: NDArray[np.uint8]) -> WarpKey:
        return WarpKey(luma(proxy), Picture(stylized, self._colour))

    def between(
        self, proxy: NDArray[np.uint8], previous: StylizedKey, following: StylizedKey | None, position: float
    ) -> Picture:
        if not isinstance(previous, WarpKey):
            raise TypeError(f"a warp needs key frames of its own, not {type(previous).__name__}")
        flow = self._flow(luma(proxy), previous.proxy_luma)
        stylized = previous.look.rgb
        height, width = stylized.shape[:2]
        if flow.shape[:2] != (height, width):
            scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
            flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
        return Picture(sample(stylized, flow), self._colour)


def _resized(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if rgb.shape[:2] == (height, width):
        return rgb
    shrinks = rgb.shape[0] > height
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)  # type: ignore[return-value]


def _halved(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
