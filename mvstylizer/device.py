"""The device: video in, video out, through anything that stylizes key frames (the engine here, or an edge).

Decoding, propagation and encoding overlap, key frames are sent ahead of the frames that wait for them, and no more
than a fixed amount of frames is held at any time.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mvstylizer.flow import FlowName, estimator
from mvstylizer.keyframes import DEFAULT_INTERVAL, KeyFrameSelector, SelectorName
from mvstylizer.pictures import fit_within
from mvstylizer.pipeline import FollowingSink, running_ahead
from mvstylizer.propagation import Look, Propagation, PropagationName, check_strength, propagation
from mvstylizer.propagation.affine import AffinePropagation
from mvstylizer.propagation.look import StylizedKey
from mvstylizer.styles import Style
from mvstylizer.video import ColourSpace, Frame, VideoInfo, VideoReader, VideoWriter
from mvstylizer.video.frame import Planes

Picture = NDArray[np.uint8]

PROXY_SIZE = 512
_KEYS_AHEAD = 2
"""Key frames that may be on their way while the frames before them are worked on."""
_BYTES_AHEAD = 256 * 2**20
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

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


@dataclass(frozen=True)
class DeviceOptions:
    """How a video is worked on; the defaults are what most people want.

    Raises:
        UsageError: the strength is not a number from 0 to 1.
    """

    key_frames: SelectorName = "interval"
    interval: int = DEFAULT_INTERVAL
    propagation: PropagationName = "affine"
    flow: FlowName = "dis"
    strength: float = 1.0
    """From 0, the video as it was, to 1, all of the style."""
    proxy_size: int = PROXY_SIZE
    crf: int = 18
    preset: str = "veryfast"
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
) -> Progress:
    """Write ``source`` in a style to ``output``; returns the final count.

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
        selector = KeyFrameSelector(options.key_frames, options.interval)
        arrivals = _arrivals(reader, selector, stylizer, way.full_size)
        ahead = _frames_ahead(info, options.interval)
        with VideoWriter(output, reader, crf=options.crf, preset=options.preset, overwrite=options.overwrite) as writer:
            # Only now: a source or an output that is refused must cost no work on an edge.
            stylizer.set_style(style)
            done = Progress(0, info.frames, 0)
            with (
                closing(running_ahead(arrivals, ahead)) as arrived,
                FollowingSink[tuple[Planes, int]](lambda item: writer.write(*item), _FRAMES_BEHIND) as sink,
            ):
                for item, look in _looks(arrived, way):
                    frame = item.frame
                    planes = look.at(options.strength).on_planes((frame.y, frame.u, frame.v))
                    sink.put((planes, frame.pts))
                    keys = done.key_frames + (item.stylized is not None)
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


def _arrivals(
    frames: Iterator[Frame] | VideoReader,
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
    """Each frame with its look, in order. Frames between two key frames wait until the second is stylized."""
    waiting: list[_Arrived] = []
    previous: _Key | None = None
    for item in arrivals:
        if item.stylized is None:
            waiting.append(item)
            continue
        key = _Key(item.frame.pts, way.key(item.frame.proxy, item.stylized.get().result()))
        if previous is not None:
            yield from _between(waiting, way, previous, None if item.is_cut else key)
        waiting = []
        yield item, key.stylized.look
        previous = key
    if previous is not None:
        yield from _between(waiting, way, previous, None)


def _between(
    waiting: list[_Arrived], way: Propagation, previous: _Key, following: _Key | None
) -> Iterator[tuple[_Arrived, Look]]:
    for item in waiting:
        if following is None:
            look = way.between(item.frame.proxy, previous.stylized, None, 0.0)
        else:
            position = (item.frame.pts - previous.pts) / (following.pts - previous.pts)
            look = way.between(item.frame.proxy, previous.stylized, following.stylized, position)
        yield item, look


def _frames_ahead(info: VideoInfo, interval: int) -> int:
    """Decoded frames that may wait, enough for key frames to be on their way, within a fixed amount of memory."""
    frame_bytes = info.width * info.height * 3 // 2
    return max(1, min(_KEYS_AHEAD * interval, _BYTES_AHEAD // frame_bytes))
