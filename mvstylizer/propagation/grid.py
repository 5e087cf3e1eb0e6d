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
        total, result = np.ones((1, 4), np.float32), np.empty_like(frame)
        for channel in range(3):
            plane = np.ascontiguousarray(padded[..., channel])
            below, above = (
                cv2.remap(plane, xs, ys + (lower + up) * (rows + 2), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for up in (np.float32(0), np.float32(1))
            )
            below, above = (cv2.transform(maps * known, total) for maps in (below, above))
            result[..., channel] = below + upper_share * (above - below)
        return result


def fit_grid(frame: Field, wanted: Field) -> LookGrid:
    """The grid that comes nearest to ``wanted``, both YUV code values ``(h, w, 3) float32``.

    Ridge regression in each cell, mixed with its neighbours, towards the map of the whole picture.
    """
    rows, columns, side = _cells(*frame.shape[:2])
    size = columns * side, rows * side
    # Sides of cells rarely come out even: a few pixels count twice or not at all, but none are mixed.
    scaled = (cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (frame, wanted))
    known, found = (_by_cell(each / np.float32(255), side) for each in scaled)
    moments = _moments(known, found).reshape(BINS, rows, columns, 4, 7)
    whole = moments.sum(0, dtype=np.float64).mean((0, 1))
    doubt = np.diag([_NOISE, _NOISE, _NOISE, 1e-9])
    overall = np.linalg.solve(whole[:, :4] + doubt, whole[:, 4:] + doubt[:, :3])
    ridge = _RIDGE * np.eye(4)
    equations = _mixed(moments).astype(np.float64) + np.hstack([ridge, ridge @ overall])
    return LookGrid(_solved(equations).astype(np.float32))


def _cells(height: int, width: int) -> tuple[int, int, int]:
    """Rows and columns of cells for a picture, and the pixels along a side of each that it is scaled to for that."""
    long_side = max(height, width)
    rows, columns = (min(side, max(1, round(side * CELLS / long_side))) for side in (height, width))
    return rows, columns, max(1, round(long_side / max(rows, columns)))


def _by_cell(picture: Field, side: int) -> Field:
    """``(h, w, 3)`` as ``(cells, 3, pixels of a cell)``."""
    height, width = picture.shape[:2]
    cells = picture.reshape(height // side, side, width // side, side, 3)
    return cells.transpose(0, 2, 4, 1, 3).reshape(-1, 3, side * side)


def _moments(known: Field, wanted: Field) -> Field:
    """Means by bin and cell of YUV and 1 times YUV, 1 and what is wanted: ``(bins, cells, 4, 7)``.

    Both are ``(cells, 3, pixels)``. A pixel counts in the two bins that its luma lies between.
    """
    cells, _, pixels = known.shape
    known = np.concatenate([known, np.ones((cells, 1, pixels), np.float32)], 1)
    step = (known[:, :1] * np.float32(BINS - 1)).clip(0, BINS - 1)
    shares = np.maximum(1 - np.abs(step - np.arange(BINS, dtype=np.float32)[:, None]), 0) / np.float32(pixels)
    weighted = (shares[:, :, None] * known[:, None]).reshape(cells, BINS * 4, pixels)
    sums: Field = weighted @ np.concatenate([known, wanted], 1).swapaxes(1, 2)
    return sums.reshape(cells, BINS, 4, 7).swapaxes(0, 1)


def _mixed(moments: Field) -> Field:
    """Each cell and bin mixed with its neighbours."""
    rows, columns = moments.shape[1:3]
    # OpenCV takes up to 512 channels: those of one bin at a time.
    mixed = np.stack([cv2.blur(each.reshape(rows, columns, -1), (3, 3)) for each in moments]).reshape(moments.shape)
    mixed[1:-1] = (mixed[:-2] + 2 * mixed[1:-1] + mixed[2:]) / 4
    return mixed


def _solved(equations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The maps ``(..., 4, 3)`` that solve ``(..., 4, 7)``, by elimination of all at once.

    The left side is positive definite, so no pivot is searched for; LAPACK, system by system, takes far longer.
    """
    rows = np.moveaxis(equations, (-2, -1), (0, 1)).copy()
    for pivot in range(4):
        rows[pivot, pivot:] /= rows[pivot, pivot].copy()
        for other in range(4):
            if other != pivot:
                rows[other, pivot:] -= rows[other, pivot].copy() * rows[pivot, pivot:]
    return np.moveaxis(rows[:, 4:], (0, 1), (-2, -1))
