"""The picture's encoder: its settings, numpy planes as encoder frames, and packets apart from any container."""

from dataclasses import dataclass
from typing import cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mvstylizer.errors import UsageError
from mvstylizer.video.convert import plane_array
from mvstylizer.video.frame import Planes
from mvstylizer.video.info import VideoInfo

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
CODECS = {"h264": "libx264", "hevc": "libx265"}
_MAX_CRF = 51
_AVX_512F = 13
"""As OpenCV numbers it (CV_CPU_AVX_512F)."""
# With AVX-512 and most widths, x264's macroblock tree (r3164's, at least) reads memory that nobody has set, and so the
# same frames come out as other bytes each time. A run that is resumed must end as one that was not.
_REPEATABLE = {"x264-params": "asm=avx2"} if cv2.checkHardwareSupport(_AVX_512F) else {}
# Players of Apple's want this name for HEVC, and none minds it.
_TAGS = {"libx265": "hvc1"}


@dataclass(frozen=True)
class Encoding:
    """How the picture is written: ``crf`` 0..51 (0 lossless, 18 hardly visible), ``preset`` of x264 or x265.

    ``threads`` is the encoder's, 0 as it likes.

    Raises:
        UsageError: there is no such codec or preset, or crf is out of range.
    """

    crf: int = 18
    preset: str = "veryfast"
    codec: str = "h264"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"preset {self.preset!r} is not one of x264's; choose of {', '.join(PRESETS)}")
        if not 0 <= self.crf <= _MAX_CRF:
            raise UsageError(f"crf {self.crf} is out of range; choose 0 (lossless) to {_MAX_CRF} (worst)")
        if self.codec not in CODECS:
            raise UsageError(f"codec {self.codec!r} is not possible; choose of {', '.join(CODECS)}")

    @property
    def library(self) -> str:
        """FFmpeg's name of the encoder."""
        return CODECS[self.codec]


def add_picture(output: OutputContainer, info: VideoInfo, encoding: Encoding) -> VideoStream:
    """A stream for packets of ``PictureEncoder``, with the source's rotation."""
    stream = cast(VideoStream, output.add_stream(encoding.library, info.frame_rate))
    _configure(stream.codec_context, info, encoding)
    if output.format.name != "matroska":
        stream.codec_context.codec_tag = _TAGS.get(encoding.library, stream.codec_context.codec_tag)
    stream.set_display_matrix(info.display_matrix)
    return stream


class PictureEncoder:
    """Frames of a segment → packets that ``add_picture``'s streams hold. Begins with a frame that needs no other."""

    def __init__(self, info: VideoInfo, encoding: Encoding) -> None:
        self._info = info
        self._context = cast(VideoCodecContext, av.CodecContext.create(encoding.library, "w"))
        _configure(self._context, info, encoding)
        # As containers have it: what all segments share stands once, in the stream's header.
        self._context.flags |= int(Flags.global_header)

    def encode(self, planes: Planes, pts: int) -> "list[Packet[VideoStream]]":
        """The packets that are ready after a frame; raises ValueError for planes of another size or type."""
        return self._context.encode(encoder_frame(planes, self._info, pts))

    def finish(self) -> "list[Packet[VideoStream]]":
        """The packets that are left."""
        return self._context.encode(None)


def _configure(context: VideoCodecContext, info: VideoInfo, encoding: Encoding) -> None:
    context.width, context.height = _even(info.width), _even(info.height)
    context.pix_fmt = "yuv420p"
    context.time_base, context.framerate = info.time_base, info.frame_rate
    context.thread_count = encoding.threads
    context.options = {
        "crf": str(encoding.crf), "preset": encoding.preset, **_parameters(encoding),
        "chroma_sample_location": info.chroma_location,
    }  # fmt: skip
    if info.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    tags = info.tags
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    context.colorspace, context.color_range = tags.space, tags.range


def _parameters(encoding: Encoding) -> dict[str, str]:
    if encoding.library == "libx265":
        # Unlike x264's, its crf 0 loses something.
        return {"x265-params": f"log-level=error:lossless={int(encoding.crf == 0)}"}
    return _REPEATABLE


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
