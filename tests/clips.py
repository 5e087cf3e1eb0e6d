"""Small real video files for tests, each a few dozen frames of smooth moving colour, made with PyAV."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

RATE = 25
SOUND_RATE = 48_000
SOUND_FRAME = 1024


@dataclass(frozen=True)
class Clip:
    """What to put into a file; the defaults make one second of 96x64 H.264 without sound."""

    width: int = 96
    height: int = 64
    frames: int = 25
    time_base: Fraction = Fraction(1, 12_800)
    pts: Sequence[int] | None = None
    start: int = 0
    last_duration: int | None = None
    """How long the last frame lasts, in ``time_base``; 1/25 s if None."""
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rotation: int | None = None
    sample_aspect_ratio: Fraction | None = None
    colour: tuple[int, int, int, int] = (2, 2, 2, 0)
    """Primaries, transfer, space, range as in ITU-T H.273."""
    sounds: Sequence[str] = ()
    """One codec per sound track, before the picture when ``sound_first``."""
    sound_first: bool = False
    subtitle: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    picture_metadata: dict[str, str] = field(default_factory=dict)
    chapters: bool = False
    bars: bool = False
    """Colour bars, with hard edges, instead of a gradient."""
    muxer_options: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=lambda: {"preset": "veryfast", "crf": "12", "g": "10"})

    def times(self) -> list[int]:
        """The pts of every frame, in ``time_base``."""
        if self.pts is not None:
            return list(self.pts)
        step = round(1 / (RATE * self.time_base))
        return [self.start + step * i for i in range(self.frames)]


def picture(clip: Clip, index: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: a smooth gradient, or colour bars, that drifts with the frame's index."""
    if clip.bars:
        return _bars(clip, index)
    y, x = np.mgrid[0 : clip.height, 0 : clip.width].astype(np.float32)
    red = 128 + 90 * np.sin(x / clip.width * 3 + index / 9)
    green = 128 + 80 * np.sin(y / clip.height * 3 - index / 12)
    blue = 90 + 60 * np.cos((x + y) / (clip.width + clip.height) * 4)
    return np.dstack([red, green, blue]).astype(np.uint8)


def write_clip(path: Path, clip: Clip) -> Path:
    """Write ``clip`` to ``path``, whose extension names the container, and return the path."""
    with av.open(str(path), "w", container_options=clip.muxer_options) as output:
        output.metadata.update(clip.metadata)
        sounds = [_add_sound(output, codec, i) for i, codec in enumerate(clip.sounds)] if clip.sound_first else []
        stream = cast(VideoStream, output.add_stream(clip.codec, RATE))
        context = stream.codec_context
        context.width, context.height = clip.width, clip.height
        context.pix_fmt, context.time_base = clip.pixel_format, clip.time_base
        context.options = dict(clip.options)
        context.flags |= int(Flags.frame_duration)
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = clip.colour
        if clip.sample_aspect_ratio is not None:
            context.sample_aspect_ratio = clip.sample_aspect_ratio
        if clip.rotation is not None:
            stream.set_display_rotation(clip.rotation)
        stream.metadata.update({"language": "fra", **clip.picture_metadata})
        if not clip.sound_first:
            sounds = [_add_sound(output, codec, i) for i, codec in enumerate(clip.sounds)]
        subtitle = output.add_mux_stream(clip.subtitle) if clip.subtitle else None
        if clip.chapters:
            output.set_chapters(_chapters())
        output.start_encoding()
        last = clip.last_duration or round(1 / (RATE * clip.time_base))
        ends = [*clip.times()[1:], clip.times()[-1] + last]
        for index, (pts, end) in enumerate(zip(clip.times(), ends, strict=True)):
            frame = _frame(clip, index, pts)
            frame.duration = end - pts
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        seconds = float((clip.times()[-1] - min(clip.start, clip.times()[0])) * clip.time_base) + 1 / RATE
        for sound in sounds:
            _write_sound(output, sound, seconds)
        if subtitle is not None:
            _write_subtitles(output, subtitle, is_mov_text=clip.subtitle == "mov_text")
    return path


@dataclass(frozen=True)
class PacketFacts:
    """A packet's time in seconds and the md5 of its bytes."""

    time: Fraction
    md5: str


def packets(path: Path, kind: str, number: int = 0) -> list[PacketFacts]:
    """The packets of the ``number``-th stream of a kind (audio, subtitle, video), by time."""
    with av.open(str(path)) as container:
        stream = [each for each in container.streams if each.type == kind][number]
        facts = [
            PacketFacts(packet.pts * packet.time_base, hashlib.md5(bytes(packet)).hexdigest())
            for packet in container.demux(stream)
            if packet.pts is not None
        ]
    return sorted(facts, key=lambda fact: fact.time)


def _bars(clip: Clip, index: int) -> NDArray[np.uint8]:
    """Black to white with every colour between, full, at three quarters and at a quarter."""
    number = (np.arange(clip.width) * 8 // clip.width + index) % 8
    colours = (number[:, None] >> np.array([1, 2, 0])) & 1
    levels = np.array([255, 191, 64])[np.arange(clip.height) * 3 // clip.height]
    return np.asarray(colours[None] * levels[:, None, None], np.uint8)


def _frame(clip: Clip, index: int, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(clip, index), "rgb24")
    space = {1: 1, 9: 9}.get(clip.colour[2], 5)
    frame = frame.reformat(
        format=clip.pixel_format,
        dst_colorspace=space,
        src_color_range=2,
        dst_color_range=2 if clip.colour[3] == 2 else 1,
    )
    frame.pts, frame.time_base = pts, clip.time_base
    return frame


def _add_sound(output: OutputContainer, codec: str, index: int) -> Stream:
    stream = output.add_stream(codec, SOUND_RATE)
    stream.metadata["language"] = ("deu", "eng", "spa")[index % 3]
    return stream


def _write_sound(output: OutputContainer, stream: Stream, seconds: float) -> None:
    noise = np.random.default_rng(stream.index)
    for start in range(0, int(seconds * SOUND_RATE), SOUND_FRAME):
        samples = noise.integers(-3000, 3000, (1, 2 * SOUND_FRAME)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        output.mux(_encoded(stream, frame))
    output.mux(_encoded(stream, None))


def _encoded(stream: Stream, frame: av.AudioFrame | None) -> "list[av.Packet[Stream]]":
    return stream.encode(frame)  # type: ignore[attr-defined,no-any-return]


def _write_subtitles(output: OutputContainer, stream: Stream, is_mov_text: bool) -> None:
    for number in range(3):
        text = f"line {number}".encode()
        data = len(text).to_bytes(2, "big") + text if is_mov_text else text
        packet = av.Packet(data)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = number * 300
        packet.duration = 200
        output.mux(packet)


def _chapters() -> list[Any]:
    base = Fraction(1, 1000)
    return [
        {"id": 1, "start": 0, "end": 400, "time_base": base, "metadata": {"title": "One"}},
        {"id": 2, "start": 400, "end": 1000, "time_base": base, "metadata": {"title": "Two"}},
    ]
