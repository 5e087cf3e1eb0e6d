"""Optical-flow estimators behind one signature.

An estimator is called with two luma pictures ``(H, W) uint8`` and answers the backward flow ``(H, W, 2) float32`` in
pixels, x then y: ``frame(p) ≈ key(p + flow(p))``. Sampling the key frame at ``p + flow(p)`` therefore brings what the
key frame shows to where the frame shows it (the paper's f = F(i, k), §3.2).
"""

from typing import Literal, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

FlowName = Literal["dis", "lucas-kanade", "farneback"]

Luma = NDArray[np.uint8]
Flow = NDArray[np.float32]
Sample = TypeVar("Sample", np.uint8, np.float32)


class FlowEstimator(Protocol):
    """Not safe to share between threads: OpenCV's estimators keep buffers of their own."""

    def __call__(self, frame: Luma, key: Luma) -> Flow: ...


class DenseInverseSearch:
    """DIS (Kroeger et al., ECCV 2016): the default, a few milliseconds at proxy size.

    Pictures with a side below 32 pixels are extended to that by repeating their edge.
    """

    _SMALLEST = 32
    """OpenCV's DIS refuses, answers NaN or even crashes where its coarsest level is smaller than a patch."""

    def __init__(self, preset: int = cv2.DISOPTICAL_FLOW_PRESET_FAST) -> None:
        self._dis = cv2.DISOpticalFlow.create(preset)

    def __call__(self, frame: Luma, key: Luma) -> Flow:
        height, width = frame.shape
        bottom, right = max(0, self._SMALLEST - height), max(0, self._SMALLEST - width)
        if bottom or right:
            frame, key = (
                np.asarray(cv2.copyMakeBorder(luma, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
                for luma in (frame, key)
            )
        # None, not an empty array, asks for a new one: OpenCV 5 refuses the latter, and its type stub the former.
        flow = self._dis.calc(frame, key, None)  # type: ignore[call-overload]
        return np.asarray(flow[:height, :width], np.float32)


class PyramidalLucasKanade:
    """Pyramidal Lucas–Kanade, the paper's estimator, on a grid of points, interpolated between them.

    Points that are lost, or whose flow is far from their neighbours' median, take that median.
    """

    _OUTLIER = 2.0
    """Pixels a point's flow may lie from its neighbours' median."""

    def __init__(self, spacing: int = 8, window: int = 21, levels: int = 4) -> None:
        self._spacing = spacing
        self._window = (window, window)
        self._levels = levels

    def __call__(self, frame: Luma, key: Luma) -> Flow:
        height, width = frame.shape
        rows, columns = max(height // self._spacing, 1), max(width // self._spacing, 1)
        ys = (np.arange(rows, dtype=np.float32) + 0.5) * height / rows - 0.5
        xs = (np.arange(columns, dtype=np.float32) + 0.5) * width / columns - 0.5
        points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 1, 2)
        moved, status, _ = cv2.calcOpticalFlowPyrLK(
            frame, key, points, np.zeros_like(points), winSize=self._window, maxLevel=self._levels
        )
        flow = (moved - points).reshape(rows, columns, 2)
        found = status.reshape(rows, columns).astype(bool)
        return cv2.resize(self._without_outliers(flow, found), (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def _without_outliers(self, flow: Flow, found: NDArray[np.bool_]) -> Flow:
        flow = np.where(found[..., None], flow, 0).astype(np.float32)
        median = np.stack([cv2.medianBlur(np.ascontiguousarray(flow[..., axis]), 5) for axis in (0, 1)], axis=-1)
        lost = ~found | (np.abs(flow - median).max(axis=-1) > self._OUTLIER)
        return np.where(lost[..., None], median, flow).astype(np.float32)


class Farneback:
    """Polynomial expansion (Farnebäck, SCIA 2003)."""

    def __call__(self, frame: Luma, key: Luma) -> Flow:
        flow = cv2.calcOpticalFlowFarneback(
            frame, key, np.zeros((*frame.shape, 2), np.float32), 0.5, 4, 21, 3, 7, 1.5, 0
        )
        return np.asarray(flow, np.float32)


_ESTIMATORS: dict[str, type[DenseInverseSearch] | type[PyramidalLucasKanade] | type[Farneback]] = {
    "dis": DenseInverseSearch,
    "lucas-kanade": PyramidalLucasKanade,
    "farneback": Farneback,
}


def estimator(name: FlowName) -> FlowEstimator:
    """A new estimator of that name."""
    return _ESTIMATORS[name]()


def luma(rgb: NDArray[np.uint8]) -> Luma:
    """RGB ``(H, W, 3)`` → the luma that estimators take."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def sample(picture: NDArray[Sample], flow: Flow) -> NDArray[Sample]:
    """Pull ``picture`` (H, W) or (H, W, C) along the flow: bilinear interpolation of Eq. 1, borders repeated.

    ``picture`` is uint8 or float32 with at most four channels and the flow's size.
    """
    height, width = flow.shape[:2]
    # Not one map with two channels and an empty second one: OpenCV 5 answers that with garbage.
    xs = flow[..., 0] + np.arange(width, dtype=np.float32)
    ys = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(picture, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
