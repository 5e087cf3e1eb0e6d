"""What a video file says about itself, and the one way in which this project opens one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
import av.stream
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mvstylizer.errors import InputError
from mvstylizer.video.frame import ColourSpace, Matrix
from mvstylizer.video.hdr import refuse_hdr

# A name that is missing here cannot be opened at all. Scripts that pull in other files (concat, hls, dash,
# image sequences) must stay out: an uploaded ffconcat script would otherwise show another user's file.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "ogg", "gif", "asf", "mxf",
)  # fmt: skip
MAX_PIXELS = 8192 * 5120

YUV420 = ("yuv420p", "yuvj420p")
_CENTRED_CHROMA = ("mjpeg", "mpeg1video")
_UNSPECIFIED = 2
_RGB = 0
_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
_CODES: dict[Matrix, int] = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}
_DEFAULT_RATE = Fraction(25)
# Above, a careless muxer has written its time base for the rate.
_MAX_RATE = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class ColourTags:
    """Colour codes of ITU-T H.273 for the planes; 2 is unspecified; range: 0 none, 1 limited, 2 full."""

    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    space: int = _UNSPECIFIED
    range: int = 0


@dataclass(frozen=True)
class OtherStream:
    """A stream that is not the picture: its index, its type (audio, subtitle, ...) and its codec."""

    index: int
    type: str
    codec: str


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it has been read through."""

    path: Path
    width: int
    """Pixels of a decoded frame, before any rotation."""
    height: int
    time_base: Fraction
    """Seconds per unit of ``Frame.pts``."""
    frame_rate: Fraction
    """Average frames per second as the container has it; guessed where it says nothing."""
    frames: int | None
    """The container's word, or an estimate from the duration."""
    duration: Fraction | None
    """Seconds."""
    rotation: int
    """Degrees counter-clockwise (0..359) by which a viewer turns the picture to see it upright."""
    display_matrix: tuple[int, ...] | None
    """The container's own 9 numbers behind ``rotation``; they also hold mirroring."""
    sample_aspect_ratio: Fraction | None
    codec: str
    bit_depth: int
    colour: ColourSpace
    """How to read the planes of ``Frame``, unspecified tags resolved as players do."""
    tags: ColourTags
    """The raw tags, for the output (an RGB source gets those of the YUV planes made from it)."""
    others: tuple[OtherStream, ...]
    chroma_location: str = "unspecified"
    """Where 4:2:0 chroma lies between the luma pixels, as FFmpeg's ``chroma_sample_location`` names it."""


def open_container(path: Path) -> InputContainer:
    """Open a local video file, and nothing that the file may refer to.

    Raises InputError: no such file, a directory, not readable, not a video.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; check the name")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give the name of one video file")
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    try:
        # The explicit scheme keeps a name such as "http:x.mp4" a name.
        return av.open(f"file:{path}", "r", container_options=options, metadata_errors="replace")
    except PermissionError as error:
        raise InputError(f"{path}: not readable; check its permissions") from error
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: not a video that can be read; it may be cut off or of another kind "
            "(mp4, mov, mkv, webm, avi, ts, mpg, flv, ogv and gif can be read)"
        ) from error


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover picture; InputError without one that can be decoded."""
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not moving:
        raise InputError(f"{path}: holds no video stream; give a file with a picture")
    stream = moving[0]
    if stream.codec_context is None:
        raise InputError(
            f"{path}: its video codec is not supported; convert it first: ffmpeg -i IN -c:v libx264 OUT.mp4"
        )
    if stream.width * stream.height > MAX_PIXELS:
        raise InputError(f"{path}: {stream.width}x{stream.height} is too large; scale it down to at most 8K first")
    return stream


def describe(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    """Everything there is to know from the headers and the first decoded frame.

    Raises InputError for HDR and for colour matrices that have no YUV arithmetic here.
    """
    context = stream.codec_context
    refuse_hdr(path, first, context.color_trc)
    rate = frame_rate(stream)
    duration = _duration(container, stream)
    colour, tags = _colour(path, stream, first)
    return VideoInfo(
        path=path,
        width=first.width,
        height=first.height,
        time_base=stream.time_base or 1 / rate,
        frame_rate=rate,
        frames=stream.frames or (max(1, round(duration * rate)) if duration else None),
        duration=duration,
        rotation=first.rotation % 360,
        display_matrix=_display_matrix(first),
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        codec=context.codec.canonical_name,
        bit_depth=first.format.components[0].bits,
        colour=colour,
        tags=tags,
        others=tuple(other_stream(each) for each in container.streams if each.index != stream.index),
        chroma_location=_chroma_location(stream, first),
    )


def frame_rate(stream: VideoStream) -> Fraction:
    """Average frames per second as the container has it, or 25 where it says nothing or nonsense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and rate <= _MAX_RATE:
            return rate
    return _DEFAULT_RATE


def is_rgb(frame: VideoFrame) -> bool:
    """Whether a decoded frame holds RGB (also through a palette) and not YUV or grey."""
    return bool(frame.format.is_rgb or frame.format.has_palette)


def first_known(is_known: Callable[[T], bool], *values: T) -> T:
    """The first of several sources that knows something, or the last one's word."""
    return next((value for value in values if is_known(value)), values[-1])


def other_stream(stream: av.stream.Stream) -> OtherStream:
    """A stream's index, type and codec name."""
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    return OtherStream(stream.index, stream.type, codec or "unknown")


def _chroma_location(stream: VideoStream, first: VideoFrame) -> str:
    # What the frame itself says PyAV does not show; these two codecs have no other place for it.
    is_centred = stream.codec_context.codec.canonical_name in _CENTRED_CHROMA and first.format.name in YUV420
    return "center" if is_centred else "unspecified"


def _display_matrix(first: VideoFrame) -> tuple[int, ...] | None:
    # av's type stub takes side data for a dict; it iterates over entries.
    for side in cast(Iterable[SideData], first.side_data):
        if side.type is SideDataType.DISPLAYMATRIX:
            return tuple(memoryview(bytes(side)).cast("i"))
    return None


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if not container.duration:
        return None
    end = Fraction(container.duration, av.time_base)
    # These count from zero, everybody else from the first packet.
    if container.format.name in ("matroska,webm", "flv") and stream.start_time and stream.time_base:
        return end - stream.start_time * stream.time_base
    return end


def _colour(path: Path, stream: VideoStream, first: VideoFrame) -> tuple[ColourSpace, ColourTags]:
    context = stream.codec_context

    def told(code: int) -> bool:
        return code != _UNSPECIFIED

    space = first_known(told, first.colorspace, context.colorspace)
    # Players take untagged HD for BT.709 and everything smaller for BT.601.
    guess: Matrix = "bt709" if first.height >= 720 else "bt601"
    primaries = first_known(told, first.color_primaries, context.color_primaries)
    transfer = first_known(told, first.color_trc, context.color_trc)
    if is_rgb(first):
        return ColourSpace(guess, "limited"), ColourTags(primaries, transfer, _CODES[guess], 1)
    if space not in (*_MATRICES, _UNSPECIFIED, _RGB):
        raise InputError(
            f"{path}: colour matrix {space} (ITU-T H.273) is not supported; convert it first: "
            "ffmpeg -i IN -vf scale=out_color_matrix=bt709 -c:a copy OUT.mp4"
        )
    code_range = first_known(bool, first.color_range, context.color_range)
    full = code_range == 2 or first.format.name.startswith("yuvj")
    colour = ColourSpace(_MATRICES.get(space, guess), "full" if full else "limited")
    return colour, ColourTags(primaries, transfer, space, 2 if full else code_range)
