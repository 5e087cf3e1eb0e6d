"""Ways of propagation that were compared and lost; the product has none of them (docs/propagation.md).

Each makes the picture of one frame at proxy size, which is all that quality is measured on.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.footage import COLOUR, Footage, Picture
from mvstylizer.flow import Flow, estimator, luma, sample
from mvstylizer.video import rgb_to_yuv, yuv_to_rgb

_AGREEMENT = 12.0
_FLOOR = 0.05
_MATCH = 1.0
"""Pixels that flow there and back may miss its start by, about, for a warped pixel to be believed."""

Values = NDArray[np.float32]


class PreviousOnly:
    """The product's own, without the key frame that follows."""

    def __init__(self, clip: Footage) -> None:
        self._clip = clip

    def picture(self, index: int, before: int, after: int) -> Picture:
        frame = self._clip.frames[index]
        return self._clip.affine.between(frame, self._clip.key(before), None, 0.0).on_proxy(frame)


class FlowOnly:
    """Gain and offset moved along the flow from both sides, and nothing in their place where flow fails.

    With ``residual`` what no local affine map explains of a stylized key frame is moved along, where frames agree.
    """

    def __init__(self, clip: Footage, residual: bool = False) -> None:
        self._clip, self._residual = clip, residual
        self._flow = estimator(clip.flow)

    def picture(self, index: int, before: int, after: int) -> Picture:
        frame = self._clip.frames[index]
        yuv, position = rgb_to_yuv(frame, COLOUR), (index - before) / (after - before)
        first, first_weight = self._side(frame, yuv, before, 1 - position)
        second, second_weight = self._side(frame, yuv, after, position)
        share = second_weight / (first_weight + second_weight)
        return _rgb(first + share[..., None] * (second - first))

    def _side(self, frame: Picture, yuv: Values, key: int, nearness: float) -> tuple[Values, Values]:
        """What one key frame makes of the frame, YUV, and its weight ``(h, w)``."""
        gray, other, look = luma(frame), luma(self._clip.frames[key]), self._clip.key(key).look
        flow = self._flow(gray, other)
        apart = cv2.blur(cv2.absdiff(gray, sample(other, flow)), (5, 5)).astype(np.float32) / _AGREEMENT
        agreement = np.exp(-apart * apart)
        result = sample(look.gain, flow) * yuv + sample(look.offset, flow)
        if self._residual:
            fitted = look.gain * rgb_to_yuv(self._clip.frames[key], COLOUR) + look.offset
            left = rgb_to_yuv(self._clip.stylized(key), COLOUR) - fitted
            result = result + agreement[..., None] * sample(left, flow)
        return result, np.float32(nearness + 1e-3) * (agreement + np.float32(_FLOOR))


class BilateralGrid:
    """The grid of the product alone, interpolated in time; no flow at all."""

    def __init__(self, clip: Footage) -> None:
        self._clip = clip

    def picture(self, index: int, before: int, after: int) -> Picture:
        grid = self._clip.key(before).grid.towards(self._clip.key(after).grid, (index - before) / (after - before))
        return _rgb(grid.on_yuv(rgb_to_yuv(self._clip.frames[index], COLOUR)))


class Hybrid:
    """Moved stylized pixels where flow there and back agrees, and the product's own elsewhere."""

    def __init__(self, clip: Footage) -> None:
        self._clip = clip
        self._flow = estimator(clip.flow)

    def picture(self, index: int, before: int, after: int) -> Picture:
        position = np.float32((index - before) / (after - before))
        first, first_trust = self._warped(index, before)
        second, second_trust = self._warped(index, after)
        weights = (1 - position) * first_trust, position * second_trust
        moved = (weights[0] * first + weights[1] * second) / (weights[0] + weights[1] + np.float32(1e-6))
        trust = np.maximum(first_trust, second_trust)
        field = self._clip.shown(index, (0, before, after)).astype(np.float32)
        return np.asarray(np.clip(np.rint(field + trust * (moved - field)), 0, 255), np.uint8)

    def _warped(self, index: int, key: int) -> tuple[Values, Values]:
        """The stylized key frame at the frame's positions, and how far to believe it ``(h, w, 1)``, 0..1."""
        frame, other = luma(self._clip.frames[index]), luma(self._clip.frames[key])
        there = self._flow(frame, other)
        trust = _trust(there, self._flow(other, frame))
        return sample(self._clip.stylized(key).astype(np.float32), there), trust[..., None]


def _trust(there: Flow, back: Flow) -> Values:
    missed = np.linalg.norm(there + sample(back, there), axis=-1) / _MATCH
    return np.asarray(np.exp(-missed * missed), np.float32)


def _rgb(yuv: Values) -> Picture:
    return np.clip(np.rint(yuv_to_rgb(yuv, COLOUR)), 0, 255).astype(np.uint8)
