"""The H.264 stream of an output: its settings, and numpy planes as encoder frames."""

from typing import cast

import cv2
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mvstylizer.video.convert import plane_array
from mvstylizer.video.frame import Planes
from mvstylizer.video.info import VideoInfo


def add_picture(output: OutputContainer, info: VideoInfo, options: dict[str, str], threads: int) -> VideoStream:
    """A libx264 stream with the source's time base, pixel shape, rotation and colour tags."""
    stream = output.add_stream("libx264", info.frame_rate)
    context = stream.codec_context
    context.width, context.height = _even(info.width), _even(info.height)
    context.pix_fmt = "yuv420p"
    context.time_base = info.time_base
    context.thread_count = threads
    context.options = dict(options)
    # Without it libx264 forgets how long frames last, and the last one gets a guess.
    context.flags |= int(Flags.frame_duration)
    if info.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    tags = info.tags
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    context.colorspace, context.color_range = tags.space, tags.range
    stream.set_display_matrix(info.display_matrix)
    return stream


def encoder_frame(planes: Planes, info: VideoInfo, pts: int) -> VideoFrame:
    """A frame of even size from planes of the source's size; where that is odd, its edge is repeated.

    Raises ValueError for planes of another size or type.
    """
    height, width = info.height, info.width
    half = (height + 1) // 2, (width + 1) // 2
    wanted = [(height, width), half, half]
    if [plane.shape for plane in planes] != wanted or any(plane.dtype != np.uint8 for plane in planes):
        raise ValueError(f"planes must be uint8 {wanted}, not {[(p.dtype.name, p.shape) for p in planes]}")
    frame = VideoFrame(_even(width), _even(height), "yuv420p")
    for target, plane in zip(frame.planes, planes, strict=True):
        memory = plane_array(target)
        memory[:] = plane if memory.shape == plane.shape else _extended(plane, memory.shape)
    frame.pts, frame.time_base = pts, info.time_base
    return frame


def _even(size: int) -> int:
    return size + size % 2


def _extended(plane: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    bottom, right = shape[0] - plane.shape[0], shape[1] - plane.shape[1]
    return cast(NDArray[np.uint8], cv2.copyMakeBorder(plane, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
