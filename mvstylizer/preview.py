"""A look at one frame of a video before and after, as a viewer would see them, without the work for the rest."""

from dataclasses import dataclass
from fractions import Fraction
from os import PathLike

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.device import DeviceOptions, KeyFrameStylizer
from mvstylizer.flow import estimator
from mvstylizer.propagation import propagation
from mvstylizer.styles import Style
from mvstylizer.video import Frame, VideoInfo, planes_to_rgb, upright
from mvstylizer.video.frame import Planes
from mvstylizer.video.still import still

Picture = NDArray[np.uint8]

_GAP = 0.01
"""Of a picture's width, white."""


@dataclass(frozen=True)
class Preview:
    """A frame before and after, RGB ``(H, W, 3) uint8``, upright and with square pixels, and its time in seconds."""

    before: Picture
    after: Picture
    seconds: float

    def side_by_side(self) -> Picture:
        """Before on the left, after on the right, a white gap between them."""
        height, width = self.before.shape[:2]
        gap = np.full((height, max(2, round(_GAP * width)), 3), 255, np.uint8)
        return np.hstack([self.before, gap, self.after])


def preview_video(
    source: str | PathLike[str],
    style: Style,
    stylizer: KeyFrameStylizer,
    seconds: Fraction | None = None,
    options: DeviceOptions | None = None,
) -> Preview:
    """The frame that is shown ``seconds`` after the video begins (None: in its middle), as a key frame would become.

    Raises:
        InputError: the source is not a readable video.
        UsageError: the video is over by then, or the stylizer has no preset of a name in the style.
        EdgeError: the stylizer is an edge and it failed.
    """
    options = options or DeviceOptions()
    info, frame = still(source, seconds, options.proxy_size)
    stylizer.set_style(style)
    before = (frame.y, frame.u, frame.v)
    after = _stylized(frame, info, stylizer, options)
    return Preview(as_seen(before, info), as_seen(after, info), float(frame.pts * info.time_base))


def as_seen(planes: Planes, info: VideoInfo) -> Picture:
    """What a viewer sees of planes: RGB ``(H, W, 3) uint8``, upright, enlarged along one side to square pixels."""
    picture = _square_pixels(planes_to_rgb(*planes, info.colour), info.sample_aspect_ratio)
    return upright(picture, info.rotation if info.rotation % 90 == 0 else 0)


def _stylized(frame: Frame, info: VideoInfo, stylizer: KeyFrameStylizer, options: DeviceOptions) -> Planes:
    way = propagation(options.propagation, info.colour, estimator(options.flow))
    r = max(frame.y.shape) / max(frame.proxy.shape[:2]) if way.full_size else 1.0
    key = way.key(frame.proxy, stylizer.submit(frame.proxy, r).result())
    return key.look.at(options.strength).on_planes((frame.y, frame.u, frame.v))


def _square_pixels(picture: Picture, ratio: Fraction | None) -> Picture:
    if ratio is None or ratio == 1:
        return picture
    height, width = picture.shape[:2]
    size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
