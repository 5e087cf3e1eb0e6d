"""Before and after side by side: as planes of a video, whatever way up it is stored, and as pictures."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import UsageError
from mvstylizer.video import VideoInfo
from mvstylizer.video.frame import Planes

Picture = NDArray[np.uint8]

_MAX_SIDE = 16_384
_SHIFT_RIGHT = 6
"""Of a display matrix's nine numbers, the one that moves the turned picture to the right."""


def side_by_side_info(info: VideoInfo) -> VideoInfo:
    """What a video of ``side_by_side`` planes is: all of the source's, but twice as wide to a viewer.

    Raises:
        UsageError: no encoder takes so large a picture.
    """
    height, width = _even(info.height), _even(info.width)
    height, width = (2 * height, width) if _is_on_its_side(info.rotation) else (height, 2 * width)
    if max(height, width) > _MAX_SIDE:
        raise UsageError(f"{info.path}: too large to compare side by side ({width}x{height}); leave out --compare")
    matrix = info.display_matrix
    if matrix is not None:
        matrix = tuple(2 * value if index == _SHIFT_RIGHT else value for index, value in enumerate(matrix))
    return replace(info, height=height, width=width, display_matrix=matrix)


def side_by_side(before: Planes, after: Planes, rotation: int) -> Planes:
    """Planes in which a viewer, who turns them by ``VideoInfo.rotation``, sees before on the left, after on the right.

    All are 4:2:0 uint8, (H, W) and twice (⌈H/2⌉, ⌈W/2⌉); each half of the result has even sizes, the edge repeated
    where the source's are odd.
    """
    # The turn brings the stored picture's bottom, right or top to the viewer's right.
    after_first = rotation % 360 in (180, 270)
    axis = 0 if _is_on_its_side(rotation) else 1
    y, u, v = (
        np.concatenate((second, first) if after_first else (first, second), axis)
        for first, second in zip(_evened(before), _evened(after), strict=True)
    )
    return y, u, v


def pictures_side_by_side(before: Picture, after: Picture) -> Picture:
    """Two RGB pictures (H, W, 3) uint8 of one size as one of (H, 2W, 3)."""
    return np.hstack([before, after])


def _is_on_its_side(rotation: int) -> bool:
    return rotation % 180 == 90


def _evened(planes: Planes) -> Planes:
    y, u, v = planes
    height, width = y.shape
    bottom, right = height % 2, width % 2
    if bottom or right:
        y = np.asarray(cv2.copyMakeBorder(y, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return y, u, v


def _even(size: int) -> int:
    return size + size % 2
