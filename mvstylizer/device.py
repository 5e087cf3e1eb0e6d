"""The device: video in, video out, through anything that stylizes key frames (the engine here, or an edge).

Decoding, propagation and encoding overlap, key frames are sent ahead of the frames that wait for them, and a fixed
number of frames is in flight: those that wait for their key frame and those that are decoded ahead share it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvstylizer.compare import side_by_side, side_by_side_info
from mvstylizer.flow import FlowName, estimator
from mvstylizer.job import identity
from mvstylizer.keyframes import (
    DEFAULT_MAX_INTERVAL,
    DEFAULT_QUALITY,
    WARM_UP_FRAMES,
    KeyFrameSelector,
    QualityName,
    SelectorName,
)
from mvstylizer.pictures import fit_within
from mvstylizer.pipeline import Budget, FollowingSink, running_ahead
from mvstylizer.propagation import Look, Propagation, PropagationName, check_strength, propagation
from mvstylizer.propagation.affine import AffinePropagation
from mvstylizer.propagation.look import StylizedKey
from mvstylizer.styles import Style
from mvstylizer.video import ColourSpace, Encoding, Frame, VideoInfo, VideoReader, VideoWriter
from mvstylizer.video.frame import Planes
from mvstylizer.video.notices import left_out_notices

Picture = NDArray[np.uint8]

PROXY_SIZE = 512
_FRAMES_AHEAD = 16
"""Frames in flight beyond the longest key-frame interval: half a second and more in which a key frame is answered."""
_BYTES_BETWEEN = 256 * 2**20
"""Of frames that wait between two key frames, where the interval is not given."""
_FRAMES_BEHIND = 4
"""Finished frames that may wait for the encoder."""


class KeyFrameStylizer(Protocol):
    """What stands behind the device. Pictures are RGB ``(H, W, 3) uint8``."""

    def set_style(self, style: Style) -> None:
        """Make this the style of all key frames from now on; returns when that is settled."""
        ...

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        """Begin to stylize a key frame, ``r`` times as large; never waits for the answer."""
        ...

    @property
    def identity(self) -> str:
        """What the model is, known from ``set_style`` on: frames of another one do not fit to its own."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


@dataclass(frozen=True)
class DeviceOptions:
    """How a video is worked on; the defaults are what most people want.

    Raises:
        UsageError: the strength is not a number from 0 to 1.
    """

    key_frames: SelectorName = "adaptive"
    interval: int | None = None
    """Frames from one key frame to the next; where it is given, `adaptive` gives way to it."""
    max_interval: int = DEFAULT_MAX_INTERVAL
    """The same at most, for `adaptive` and `codec`."""
    quality: QualityName = DEFAULT_QUALITY
    """How many key frames `adaptive` takes."""
    propagation: PropagationName = "affine"
    flow: FlowName = "dis"
    strength: float = 1.0
    """From 0, the video as it was, to 1, all of the style."""
    proxy_size: int = PROXY_SIZE
    crf: int = 18
    preset: str = "veryfast"
    codec: str = "h264"
    compare: bool = False
    """Show the source beside the result: before | after."""
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_strength(self.strength)


@dataclass(frozen=True)
class Progress:
    """How far a video has come."""

    frames: int
    total: int | None
    """Frames of the video, by its container's word; None where it does not say."""
    key_frames: int


@dataclass
class _Arrived:
    """A decoded frame; where it is a key frame, ``stylized`` gets the answer once it has come."""

    frame: Frame
    stylized: SimpleQueue[Future[Picture]] | None
    is_cut: bool


@dataclass(frozen=True)
class _Key:
    pts: int
    stylized: StylizedKey


def stylize_video(
    source: Path,
    style: Style,
    output: Path,
    stylizer: KeyFrameStylizer,
    options: DeviceOptions | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Progress:
    """Write ``source`` in a style to ``output``; returns the final count.

    After an interruption, or a kill, the same call goes on where it was (``VideoWriter.resume``). ``note`` is told, in
    a line each, what will not be as in the source.

    Raises:
        InputError: the source is not a readable video.
        OutputError, NoSpaceError: the output cannot be written.
        UsageError: the stylizer has no preset of a name in the style.
        EdgeError: the stylizer is an edge and it failed.
    """
    options = options or DeviceOptions()
    with VideoReader(source, options.proxy_size) as reader:
        info = reader.info
        way = propagation(options.propagation, info.colour, estimator(options.flow))
        selector = key_frame_selector(options, info)
        in_flight = Budget(frames_in_flight(selector.longest, info))
        encoding = Encoding(options.crf, options.preset, options.codec)
        written = side_by_side_info(info) if options.compare else info
        with VideoWriter(output, written, encoding, overwrite=options.overwrite) as writer:
            for notice in (*reader.notices, *left_out_notices(writer.left_out)):
                note(notice)
            # Only now: a source or an output that is refused must cost no work on an edge.
            stylizer.set_style(style)
            frames, keys = writer.resume(identity(source, style, stylizer.identity, _settings(options)))
            done = Progress(frames, info.frames, keys)
            arrivals = _arrivals(_frames_from(reader, frames, selector), selector, stylizer, way.full_size)
            with (
                closing(running_ahead(arrivals, in_flight)) as arrived,
                FollowingSink[tuple[Planes, int, bool]](lambda item: writer.write(*item), _FRAMES_BEHIND) as sink,
            ):
                for item, look in _looks(arrived, way):
                    frame, is_key = item.frame, item.stylized is not None
                    before = frame.y, frame.u, frame.v
                    planes = look.at(options.strength).on_planes(before)
                    if options.compare:
                        planes = side_by_side(before, planes, info.rotation)
                    sink.put((planes, frame.pts, is_key))
                    in_flight.give_back()
                    keys = done.key_frames + is_key
                    done = Progress(done.frames + 1, info.frames, keys)
                    report(done)
    return done


def stylize_picture(
    picture: Picture,
    style: Style,
    stylizer: KeyFrameStylizer,
    proxy_size: int = PROXY_SIZE,
    strength: float = 1.0,
) -> Picture:
    """A still picture, RGB ``(H, W, 3) uint8``, in a style at a strength from 0 to 1, at its full size.

    Raises:
        UsageError: the strength is not possible, or the stylizer has no preset of a name in the style.
        EdgeError: the stylizer is an edge and it failed.
    """
    check_strength(strength)
    way = AffinePropagation(ColourSpace("bt601", "full"), estimator("dis"))
    stylizer.set_style(style)
    proxy = fit_within(picture, proxy_size)
    return way.key(proxy, stylizer.submit(proxy).result()).look.at(strength).on_proxy(picture)


def _settings(options: DeviceOptions) -> dict[str, Any]:
    """Those that the output depends on."""
    return {name: value for name, value in asdict(options).items() if name != "overwrite"}


def _frames_from(reader: VideoReader, start: int, selector: KeyFrameSelector) -> Iterator[Frame]:
    """The frames from index ``start`` on, a key frame; the selector gets to know what led up to it."""
    before = min(start, WARM_UP_FRAMES)
    frames = reader.frames_from(start - before)
    for frame in islice(frames, before):
        selector.warm_up(frame.proxy)
    yield from frames


def _arrivals(
    frames: Iterator[Frame],
    selector: KeyFrameSelector,
    stylizer: KeyFrameStylizer,
    full_size: bool,
) -> Iterator[_Arrived]:
    """Decode, choose key frames and send them off."""
    for frame in frames:
        decision = selector.decide(frame.proxy, frame.is_key)
        r = max(frame.y.shape) / max(frame.proxy.shape[:2]) if full_size else 1.0
        stylized: SimpleQueue[Future[Picture]] | None = None
        if decision.is_key:
            # Not the future itself: waiting for it takes its lock, which Ctrl-C in the wrong moment leaves locked.
            stylized = SimpleQueue()
            stylizer.submit(frame.proxy, r).add_done_callback(stylized.put)
        yield _Arrived(frame, stylized, decision.is_cut)


def _looks(arrivals: Iterator[_Arrived], way: Propagation) -> Generator[tuple[_Arrived, Look], None, None]:
    """Each frame with its look, in order. Frames that take from two key frames wait until the second is stylized."""
    waiting: deque[_Arrived] = deque()
    previous: _Key | None = None
    for item in arrivals:
        if item.stylized is None:
            if way.two_sided or previous is None:
                waiting.append(item)
            else:
                yield item, way.between(item.frame.proxy, previous.stylized, None, 0.0)
            continue
        key = _Key(item.frame.pts, way.key(item.frame.proxy, item.stylized.get().result()))
        if previous is not None:
            yield from _between(waiting, way, previous, None if item.is_cut else key)
        yield item, key.stylized.look
        previous = key
    if previous is not None:
        yield from _between(waiting, way, previous, None)


def _between(
    waiting: deque[_Arrived], way: Propagation, previous: _Key, following: _Key | None
) -> Iterator[tuple[_Arrived, Look]]:
    """Frames leave ``waiting`` one by one: none is held longer than it is worked on."""
    while waiting:
        item = waiting.popleft()
        if following is None:
            look = way.between(item.frame.proxy, previous.stylized, None, 0.0)
        else:
            position = (item.frame.pts - previous.pts) / (following.pts - previous.pts)
            look = way.between(item.frame.proxy, previous.stylized, following.stylized, position)
        yield item, look


def key_frame_selector(options: DeviceOptions, info: VideoInfo) -> KeyFrameSelector:
    """What chooses the key frames of a video; frames between two of them wait, so large ones need them closer."""
    return KeyFrameSelector(
        options.key_frames, options.interval, max_interval=options.max_interval, quality=options.quality,
        held=_held(info),
    )  # fmt: skip


def frames_in_flight(longest: int, info: VideoInfo) -> int:
    """Frames that are decoded and not yet with the encoder, where key frames are at most ``longest`` apart.

    So many wait until the second of two key frames has come; the others are decoded ahead meanwhile.
    """
    return longest + max(1, min(_FRAMES_AHEAD, _held(info)))


def _held(info: VideoInfo) -> int:
    return max(1, _BYTES_BETWEEN // (info.width * info.height * 3 // 2))
