"""A look as a bilateral grid: one affine map of colours for each cell of the picture and step of luma.

A grid is fitted at a key frame and answers to each frame's own luma, so it holds wherever things go: it needs no flow,
and nothing in it is torn where flow fails. What it cannot express is what a look does within a cell to equal luma.
Chen et al., "Bilateral Guided Upsampling", SIGGRAPH Asia 2016.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS = 32
"""Along the long side of the picture."""
BINS = 12
_RIDGE = 2e-3
"""Weight of the map of the whole picture in each cell, against the mean of squares in it (values in 0..1)."""
_NOISE = (2 / 255) ** 2
"""Variance below which a channel of the whole picture says nothing: its own value is left to it."""

Field = NDArray[np.float32]


@dataclass(frozen=True)
class LookGrid:
    """``maps`` is ``(bins, rows, columns, 4, 3) float32``: from YUV, and 1, in 0..1 to YUV."""

    maps: Field

    def towards(self, other: "LookGrid", share: float) -> "LookGrid":
        """A grid on the way from this one, 0, to another of a picture of the same size, 1."""
        return LookGrid(self.maps + np.float32(share) * (other.maps - self.maps))

    def on_yuv(self, frame: Field) -> Field:
        """What the look makes of a frame, YUV code values ``(h, w, 3)``, interpolated in place and luma."""
        height, width = frame.shape[:2]
        bins, rows, columns = self.maps.shape[:3]
        # One tall picture of all bins, each with its border repeated: remap then never mixes one bin with another.
        padded = np.pad(self.maps, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)), "edge").reshape(-1, columns, 4, 3)
        xs = np.tile((np.arange(width, dtype=np.float32) + 0.5) * columns / width - 0.5, (height, 1))
        ys = ((np.arange(height, dtype=np.float32) + 0.5) * rows / height + 0.5)[:, None]
        step = np.clip(frame[..., 0] * np.float32((bins - 1) / 255), 0, bins - 1)
        lower = np.minimum(np.floor(step), bins - 2)
        upper_share = step - lower
        known = np.dstack([frame, np.full((height, width), 255, np.float32)])
        result = np.empty_like(frame)
        for channel in range(3):
            plane = np.ascontiguousarray(padded[..., channel])
            below, above = (
                cv2.remap(plane, xs, ys + (lower + up) * (rows + 2), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for up in (np.float32(0), np.float32(1))
            )
            below, above = ((maps * known).sum(-1) for maps in (below, above))
            result[..., channel] = below + upper_share * (above - below)
        return result


def fit_grid(frame: Field, wanted: Field) -> LookGrid:
    """The grid that comes nearest to ``wanted``, both YUV code values ``(h, w, 3) float32``.

    Ridge regression in each cell, mixed with its neighbours, towards the map of the whole picture.
    """
    known = np.column_stack([frame.reshape(-1, 3), np.full(frame[..., 0].size, 255, np.float32)]) / np.float32(255)
    both = np.column_stack([known, wanted.reshape(-1, 3) / np.float32(255)])
    products = (known[:, :, None] * both[:, None, :]).reshape(-1, 28)
    whole = products.mean(0, dtype=np.float64).reshape(4, 7)
    doubt = np.diag([_NOISE, _NOISE, _NOISE, 1e-9])
    overall = np.linalg.solve(whole[:, :4] + doubt, whole[:, 4:] + doubt[:, :3])
    moments, ridge = _moments(products, frame[..., 0]), _RIDGE * np.eye(4)
    maps = np.linalg.solve(moments[..., :4] + ridge, moments[..., 4:] + ridge @ overall)
    return LookGrid(maps.astype(np.float32))


def _moments(products: Field, luma: Field) -> NDArray[np.float64]:
    """Means of products ``(h · w, 28)`` by bin and cell, mixed with their neighbours': ``(bins, rows, columns, 4, 7)``.

    A pixel counts in the two bins that its luma lies between.
    """
    height, width = luma.shape
    rows, columns = (min(side, max(1, round(side * CELLS / max(height, width)))) for side in (height, width))
    ys, xs = np.arange(height) * rows // height, np.arange(width) * columns // width
    cell = (ys[:, None] * columns + xs).ravel()
    step = (luma.ravel() * np.float32((BINS - 1) / 255)).clip(0, BINS - 1)
    lower = np.minimum(step.astype(np.intp), BINS - 2)
    upper_share = step - lower
    index = np.concatenate([lower * rows * columns + cell, (lower + 1) * rows * columns + cell])
    shares = np.concatenate([1 - upper_share, upper_share])
    sums = [np.bincount(index, shares * np.tile(each, 2), BINS * rows * columns) for each in products.T]
    pixels = np.bincount(cell, minlength=rows * columns).reshape(rows, columns, 1)
    bins = np.stack(sums, -1).reshape(BINS, rows, columns, 28) / pixels
    moments = np.stack([np.stack([cv2.blur(plane, (3, 3)) for plane in np.moveaxis(each, -1, 0)], -1) for each in bins])
    moments[1:-1] = (moments[:-2] + 2 * moments[1:-1] + moments[2:]) / 4
    return moments.reshape(BINS, rows, columns, 4, 7)
